"""Step that fetches the served version from the registry as the baseline of the comparison."""
