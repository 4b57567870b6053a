"""The API of Kubeflow Pipelines: upload, submit, schedule, watch, and say what holds or ended a run."""
