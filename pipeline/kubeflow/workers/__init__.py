"""A training on several pods."""
