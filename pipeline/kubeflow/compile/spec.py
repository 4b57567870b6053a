"""Converts the PipelineSpec that TFX compiles for Vertex AI to one that the open-source backend runs.

It uses plain dictionaries in the JSON format of `PipelineSpec` (api/v2alpha1/pipeline_spec.proto of
kubeflow/pipelines): the protobufs of TFX and of newer Kubeflow releases cannot be loaded in one process.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from common.compatibility import portable_stats_options
from pipeline.config.run_config import RunConfig
from pipeline.dag.steps import run_value_parameters, step_of
from pipeline.kubeflow.compile.beam import beam_environment
from pipeline.kubeflow.compile.non_tfx_tasks import (
    NOTIFY_RETRIES,
    STRING,
    notify_component,
    notify_container,
    notify_inputs,
    passed_on,
    run_parameters,
    survey_component,
    survey_container,
    survey_inputs,
    survey_outputs,
    types_of,
)
from pipeline.kubeflow.config import StepOptions
from pipeline.kubeflow.json_types import Json
from pipeline.kubeflow.names import IS_TRAINING_DUE, NOTIFY, PIPELINE, RETRAIN, SURVEY, TASK_LABELS

SCHEMA_VERSION = "2.1.0"
"""The only version that the backend accepts: backend/src/apiserver/template/v2_template.go, NewV2SpecTemplate."""

_TYPE_VERSION = "0.0.1"
_INPUT_TYPES = "--json_serialized_inputs_spec_args"


def cluster_spec(tfx: Json, config: RunConfig) -> Json:
    """Returns the PipelineSpec for the cluster.

    Args:
        tfx: As `tfx_output.tfx_spec` returns it.
        config: With the cluster's paths, as `paths.on_cluster` returns it.
    """
    spec = _Spec(config)
    tasks = spec.add_tfx_steps(tfx)
    if config.when_unchanged == "skip":
        tasks = spec.in_skippable_group(tasks)
    tasks = {**spec.add_survey(), **tasks}
    if config.kubeflow.webhook is not None:
        tasks = spec.with_last_word(tasks)
    return {
        "pipelineInfo": {"name": config.name},
        "schemaVersion": SCHEMA_VERSION,
        "sdkVersion": "segpipe",
        "defaultPipelineRoot": config.kubeflow.pipeline_root,
        "root": {"dag": {"tasks": tasks}, "inputDefinitions": {"parameters": run_parameters(config)}},
        "components": spec.components,
        "deploymentSpec": {"executors": spec.executors},
    }


class _Spec:
    """Builder of the PipelineSpec's components and executors."""

    def __init__(self, config: RunConfig) -> None:
        self.config = config
        self.components: Json = {}
        self.executors: Json = {}

    def add_tfx_steps(self, tfx: Json) -> Json:
        """Adds each TFX step; returns their tasks, which take run-time parameters from the survey task."""
        _check_run_values(tfx["root"]["dag"]["tasks"])
        for step, component in tfx["components"].items():
            container = tfx["deploymentSpec"]["executors"][component["executorLabel"]]["container"]
            own = {
                key: _definitions(component[key])
                for key in ("inputDefinitions", "outputDefinitions")
                if key in component
            }
            self._add_container(_task_name(step), own, {**container, "args": _with_input_types(container["args"], own)})
        return {_task_name(step): self._tfx_task(step, task) for step, task in tfx["root"]["dag"]["tasks"].items()}

    def add_survey(self) -> Json:
        """Adds the survey; returns its task."""
        self._add_container(SURVEY, survey_component(self.config), survey_container(self.config))
        return {SURVEY: self._container_task(SURVEY, survey_inputs(self.config), cache=False)}

    def in_skippable_group(self, tasks: Json) -> Json:
        """Wraps `tasks` in a group that runs only if the survey, which is outside it, finds that a training is due."""
        outputs = survey_outputs()
        for task in tasks.values():
            task["inputs"]["parameters"] = {
                name: _from_outside(value) for name, value in task["inputs"]["parameters"].items()
            }
            task["dependentTasks"] = [name for name in task["dependentTasks"] if name != SURVEY]
        group = self._group(RETRAIN, tasks, dict.fromkeys(outputs, STRING), {name: _surveyed(name) for name in outputs})
        condition = f"inputs.parameter_values['{IS_TRAINING_DUE}'] == 'true'"
        return {RETRAIN: {**group, "dependentTasks": [SURVEY], "triggerPolicy": {"condition": condition}}}

    def with_last_word(self, tasks: Json) -> Json:
        """Wraps `tasks` in a group with an exit task that notifies the webhook of any outcome."""
        self._add_container(NOTIFY, notify_component(), notify_container(self.config))
        parameters = run_parameters(self.config)
        return {
            PIPELINE: self._group(PIPELINE, tasks, types_of(parameters), passed_on(parameters)),
            NOTIFY: {
                **self._container_task(NOTIFY, notify_inputs(self.config), cache=False, retries=NOTIFY_RETRIES),
                "dependentTasks": [PIPELINE],
                "triggerPolicy": {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"},
            },
        }

    def _group(self, name: str, tasks: Json, parameters: Json, values: Json) -> Json:
        self.components[f"comp-{name}"] = {"dag": {"tasks": tasks}, "inputDefinitions": {"parameters": parameters}}
        return _task(name, values)

    def _add_container(self, task: str, component: Json, container: Json) -> None:
        """Adds a component with its executor, and with the resources and environment from the configuration."""
        options = self.config.kubeflow.options_of(task)
        self.components[f"comp-{task}"] = {"executorLabel": f"exec-{task}", **component}
        variables = {**(options.env or {}), **beam_environment(self.config, task)}
        self.executors[f"exec-{task}"] = {"container": {**container, **_resources(options), **_environment(variables)}}

    def _container_task(self, task: str, values: Json, cache: bool = True, retries: int | None = None) -> Json:
        options = self.config.kubeflow.options_of(task)
        retries = options.retries if retries is None else retries
        caching = {"enableCache": True} if cache and options.cache is not False else {}
        return {**_task(task, values), "cachingOptions": caching, **(_retry_policy(retries) if retries else {})}

    def _tfx_task(self, step: str, task: Json) -> Json:
        inputs, surveyed = task.get("inputs", {}), step_of(step).run_values
        values = {
            name: _surveyed(surveyed[name]) if name in surveyed else _constant(name, value)
            for name, value in inputs.get("parameters", {}).items()
        }
        artifacts = {name: _artifact(value) for name, value in inputs.get("artifacts", {}).items()}
        asks = any("taskOutputParameter" in value for value in values.values())
        before = {_task_name(name) for name in task.get("dependentTasks", [])} | ({SURVEY} if asks else set())
        own = self._container_task(_task_name(step), values, cache=step_of(step).cached)
        own["taskInfo"] = {"name": step_of(step).display_name}
        own["inputs"] |= {"artifacts": artifacts} if artifacts else {}
        return {**own, "dependentTasks": sorted(before)}


def _check_run_values(tasks: Json) -> None:
    """Fails if a renamed parameter would bypass the survey's run-time value."""
    for step, name, _ in run_value_parameters():
        if step.component in tasks and name not in tasks[step.component]["inputs"]["parameters"]:
            raise ValueError(
                f"{step.component} has no parameter {name}, which its record in pipeline/dag/steps.py names"
            )


def _task_name(component: str) -> str:
    return step_of(component).task


def _task(name: str, values: Json) -> Json:
    return {
        "taskInfo": {"name": TASK_LABELS.get(name, name)},
        "componentRef": {"name": f"comp-{name}"},
        "inputs": {"parameters": values},
    }


def _definitions(tfx: Json) -> Json:
    """Replaces instance schemas of artifact types by titles: steps do not get instance schemas."""
    own: Json = {}
    if "artifacts" in tfx:
        own["artifacts"] = {
            name: {"artifactType": {"schemaTitle": _title(artifact["artifactType"]), "schemaVersion": _TYPE_VERSION}}
            for name, artifact in tfx["artifacts"].items()
        }
    if "parameters" in tfx:
        own["parameters"] = types_of(tfx["parameters"])
    return own


def _title(artifact_type: Json) -> str:
    """Returns the title in the first line of TFX's instance schema, which is YAML: `title: tfx.Examples`."""
    key, _, title = artifact_type["instanceSchema"].partition("\n")[0].partition(": ")
    if key != "title" or not title:
        raise ValueError(f"no title in the artifact type {artifact_type}")
    return title.strip()


def _with_input_types(args: list[str], component: Json) -> list[str]:
    """Returns the arguments that TFX emits, with the component's converted input types."""
    at = args.index(_INPUT_TYPES) + 1
    return [*args[:at], json.dumps(component.get("inputDefinitions", {}), sort_keys=True), *args[at + 1 :]]


def _artifact(tfx: Json) -> Json:
    output = tfx["taskOutputArtifact"]
    producer = _task_name(output["producerTask"])
    return {"taskOutputArtifact": {"producerTask": producer, "outputArtifactKey": output["outputArtifactKey"]}}


def _constant(name: str, tfx: Json) -> Json:
    """Returns a constant in the same form for both pinned TFX releases: some protobufs write 1 as 1.0."""
    value = tfx["runtimeValue"]["constant"]
    if name == "stats_options_json":
        value = portable_stats_options(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return {"runtimeValue": {"constant": value}}


def _surveyed(output: str) -> Json:
    return {"taskOutputParameter": {"producerTask": SURVEY, "outputParameterKey": output}}


def _from_outside(value: Json) -> Json:
    """Replaces a reference to the survey by one to the enclosing group's parameter."""
    output = value.get("taskOutputParameter")
    return {"componentInputParameter": output["outputParameterKey"]} if output else value


def _retry_policy(retries: int) -> Json:
    return {
        "retryPolicy": {
            "maxRetryCount": retries,
            "backoffDuration": "30s",
            "backoffFactor": 2,
            "backoffMaxDuration": "600s",
        }
    }


def _resources(options: StepOptions) -> Json:
    """Returns the resource fields that the backend reads: backend/src/v2/driver/driver.go, initPodSpecPatch."""
    said = {
        "resourceCpuRequest": options.cpu,
        "resourceCpuLimit": options.cpu_limit,
        "resourceMemoryRequest": options.memory,
        "resourceMemoryLimit": options.memory_limit,
    }
    resources: Json = {field: value for field, value in said.items() if value is not None}
    if options.accelerator is not None:
        accelerator = options.accelerator
        resources["accelerator"] = {"resourceType": accelerator.resource, "resourceCount": str(accelerator.count)}
    return {"resources": resources} if resources else {}


def _environment(variables: Mapping[str, str]) -> Json:
    if not variables:
        return {}
    return {"env": [{"name": name, "value": value} for name, value in sorted(variables.items())]}
