"""Step that pushes a blessed model to the registry as a new version."""
