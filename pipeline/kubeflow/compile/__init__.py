"""A configuration to what Kubeflow Pipelines takes: a PipelineSpec and a document for Kubernetes, both validated."""
