"""The pipeline, authored once: its steps, what flows between them, and the state that a run starts from."""
