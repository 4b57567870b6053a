"""A run's configuration: one YAML file, read strictly, checked and typed."""
