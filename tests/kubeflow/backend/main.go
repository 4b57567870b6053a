// Command backend says what a Kubeflow Pipelines API server makes of a compiled pipeline.
//
// It reads YAML from its standard input the way an upload is read, compiles it the way a run is, and prints the Argo
// workflow. What the server would refuse is printed on the standard error, with an exit status of 1. Its only argument,
// which may be left out, are a run's parameters as JSON.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/kubeflow/pipelines/backend/src/apiserver/config/proxy"
	"github.com/kubeflow/pipelines/backend/src/apiserver/model"
	"github.com/kubeflow/pipelines/backend/src/apiserver/template"
	"sigs.k8s.io/yaml"
)

func main() {
	workflow, err := compile(os.Stdin, os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Print(workflow)
}

func compile(upload io.Reader, arguments []string) (string, error) {
	text, err := io.ReadAll(upload)
	if err != nil {
		return "", err
	}
	proxy.InitializeConfig("", "", "")
	pipeline, err := template.New(text, template.TemplateOptions{})
	if err != nil {
		return "", err
	}
	parameters := "{}"
	if len(arguments) > 0 {
		parameters = arguments[0]
	}
	run := &model.Run{
		DisplayName:  "a run",
		PipelineSpec: model.PipelineSpec{RuntimeConfig: model.RuntimeConfig{Parameters: model.LargeText(parameters)}},
	}
	execution, err := pipeline.RunWorkflow(run, template.RunWorkflowOptions{RunID: "run-id", RunAt: 1})
	if err != nil {
		return "", err
	}
	if err := execution.Validate(false, false); err != nil {
		return "", err
	}
	workflow, err := yaml.JSONToYAML([]byte(execution.ToStringForStore()))
	return string(workflow), err
}
