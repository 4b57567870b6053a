"""What every other package may import: errors, settings, records, progress, and rules that several steps share."""
