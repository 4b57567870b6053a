"""Copies of a run's results for tools that a team already looks at; the registry stays the truth."""
