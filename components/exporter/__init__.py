"""Step that converts the exported SavedModel to other formats and compares them with it."""
