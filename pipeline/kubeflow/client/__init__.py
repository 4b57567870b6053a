"""The API of Kubeflow Pipelines: upload, submit, schedule, watch, and find out why a run waits or failed."""
