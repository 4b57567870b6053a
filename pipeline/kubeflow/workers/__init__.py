"""Distributed training on several pods."""
