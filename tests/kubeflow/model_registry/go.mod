// Kubeflow's model registry, release 0.3.8, as a program.
module segpipe/tests/kubeflow/model_registry

go 1.26

tool github.com/kubeflow/model-registry

require github.com/kubeflow/model-registry v0.3.8

// As in its own go.mod, which has them by their folders.
replace (
	github.com/kubeflow/model-registry/catalog/pkg/openapi => github.com/kubeflow/model-registry/catalog/pkg/openapi v0.0.0-20260403140007-cc86b769e257
	github.com/kubeflow/model-registry/pkg/openapi => github.com/kubeflow/model-registry/pkg/openapi v0.3.8
)
