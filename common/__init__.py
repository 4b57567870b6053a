"""Modules that every other package may import: errors, settings, records, progress, and shared rules."""
