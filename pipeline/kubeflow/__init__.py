"""Runs the pipeline on Kubeflow Pipelines: compiles, submits and schedules it, and runs each step in a pod."""
