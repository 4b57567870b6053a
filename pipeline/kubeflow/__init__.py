"""The pipeline on Kubeflow: compiled, submitted, scheduled, and run a step at a time in pods."""
