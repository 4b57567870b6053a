"""Compiles a configuration to a PipelineSpec and a platform document, and validates both."""
