"""Compares two runs, or a run and a pushed version: configuration, data, metrics on the same images, predictions."""
