"""Local runner of the pipeline."""
