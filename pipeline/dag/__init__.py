"""Definition of the pipeline: its steps, the data flow between them, and the run-time state."""
