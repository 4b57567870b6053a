"""Modules that every package may import: errors, settings, records, progress, and rules that several steps share."""
