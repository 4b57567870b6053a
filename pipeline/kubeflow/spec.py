"""From the PipelineSpec that TFX compiles for Vertex AI to one that the open-source backend runs.

Plain dictionaries all the way, as the JSON of `PipelineSpec` (api/v2alpha1/pipeline_spec.proto of kubeflow/pipelines)
has them: the protobufs of TFX's and of newer Kubeflow releases do not go together in one process.
"""

from __future__ import annotations

import json
from typing import Any

from pipeline.config import RunConfig
from pipeline.kubeflow.config import StepOptions
from pipeline.kubeflow.names import NOTIFY, PIPELINE, RETRAIN, SURVEY, SURVEYED, TASK_LABELS, VERDICT, label, task_name
from pipeline.kubeflow.options import options_of
from pipeline.kubeflow.tfx_output import COMMAND

Json = dict[str, Any]

SCHEMA_VERSION = "2.1.0"
"""The only one that the backend takes: backend/src/apiserver/template/v2_template.go, NewV2SpecTemplate."""

WEBHOOK_VARIABLE = "SEGPIPE_WEBHOOK"
"""Environment variable of the last task with the webhook's address."""

_TYPE_VERSION = "0.0.1"
_STRING = {"parameterType": "STRING"}
_UNCACHED = frozenset({SURVEY, NOTIFY})
_NOTIFY_RETRIES = 2


def cluster_spec(tfx: Json, config: RunConfig) -> Json:
    """The PipelineSpec for the cluster.

    Args:
        tfx: As `tfx_output.tfx_spec` returns it.
        config: With the cluster's paths, as `paths.on_cluster` returns it.
    """
    spec = _Spec(config)
    tasks = spec.add_tfx_steps(tfx)
    spec.add_container(SURVEY, _survey_component(), _survey_container(config))
    survey = spec.task(SURVEY, {name: {"componentInputParameter": name} for name in run_parameters(config)})
    if getattr(config, "when_unchanged", "run") == "skip":
        tasks = spec.in_group(RETRAIN, tasks)
    dag = {SURVEY: survey, **tasks}
    parameters = run_parameters(config)
    if config.kubeflow.webhook is not None:
        spec.add_container(NOTIFY, _notify_component(), _notify_container(config))
        spec.components[f"comp-{PIPELINE}"] = {"dag": {"tasks": dag}, "inputDefinitions": {"parameters": _types(parameters)}}
        passed = {name: {"componentInputParameter": name} for name in parameters}
        dag = {PIPELINE: spec.task(PIPELINE, passed), NOTIFY: spec.last_task()}
    return {
        "pipelineInfo": {"name": config.name},
        "schemaVersion": SCHEMA_VERSION,
        "sdkVersion": "segpipe",
        "defaultPipelineRoot": config.kubeflow.pipeline_root,
        "root": {"dag": {"tasks": dag}, "inputDefinitions": {"parameters": parameters}},
        "components": spec.components,
        "deploymentSpec": {"executors": spec.executors},
    }


def run_parameters(config: RunConfig) -> Json:
    """What may be said anew for each run; all have defaults, for a schedule gives none but the date."""
    return {
        "data_root": {
            "parameterType": "STRING",
            "defaultValue": getattr(config.data.source, "root", ""),
            "description": "Folder of the data (on a mounted volume, gs:// or s3://).",
        },
        "epochs": {
            "parameterType": "NUMBER_INTEGER",
            "defaultValue": config.trainer.epochs,
            "description": "Epochs of training at most.",
        },
        "run_date": {
            "parameterType": "STRING",
            "defaultValue": "",
            "description": "The date that {date} in paths stands for; [[ScheduledTime]] in a schedule; empty: today.",
        },
        "overrides": {
            "parameterType": "STRING",
            "defaultValue": "",
            "description": "Further keys of the configuration, key.path=value, one a line.",
        },
    }


class _Spec:
    """Components, executors and tasks as they are gathered."""

    def __init__(self, config: RunConfig) -> None:
        self.config = config
        self.components: Json = {}
        self.executors: Json = {}

    def add_tfx_steps(self, tfx: Json) -> Json:
        """Takes over each step of TFX; returns their tasks, in one group with the survey."""
        for step, component in tfx["components"].items():
            container = tfx["deploymentSpec"]["executors"][component["executorLabel"]]["container"]
            own = _component(component)
            self.add_container(task_name(step), own, {**container, "args": _with_input_types(container["args"], own)})
        return {task_name(step): self._tfx_task(step, task) for step, task in tfx["root"]["dag"]["tasks"].items()}

    def add_container(self, task: str, component: Json, container: Json) -> None:
        """A component with its executor, and with what the configuration gives it."""
        options = options_of(self.config.kubeflow, task)
        self.components[f"comp-{task}"] = {"executorLabel": f"exec-{task}", **component}
        self.executors[f"exec-{task}"] = {"container": {**container, **_resources(options), **_environment(options)}}

    def task(self, task: str, parameters: Json, name: str | None = None) -> Json:
        """A task of a component of the same name."""
        return {
            "taskInfo": {"name": name or TASK_LABELS[task]},
            "componentRef": {"name": f"comp-{task}"},
            "inputs": {"parameters": parameters},
            "cachingOptions": self._caching(task),
            **self._retries(task),
        }

    def in_group(self, group: str, tasks: Json) -> Json:
        """Puts TFX's tasks into a group that runs only if the survey says so."""
        outputs = sorted({*SURVEYED.values()})
        for task in tasks.values():
            for name, value in task["inputs"]["parameters"].items():
                if "taskOutputParameter" in value:
                    key = value["taskOutputParameter"]["outputParameterKey"]
                    task["inputs"]["parameters"][name] = {"componentInputParameter": key}
            task["dependentTasks"] = [name for name in task["dependentTasks"] if name != SURVEY]
        self.components[f"comp-{group}"] = {
            "dag": {"tasks": tasks},
            "inputDefinitions": {"parameters": {name: _STRING for name in (*outputs, VERDICT)}},
        }
        return {
            group: {
                **self.task(group, {name: _surveyed(name) for name in (*outputs, VERDICT)}),
                "dependentTasks": [SURVEY],
                "triggerPolicy": {"condition": f"inputs.parameter_values['{VERDICT}'] == 'true'"},
            }
        }

    def last_task(self) -> Json:
        """The task that runs when the pipeline has ended, however it did."""
        status = {"status": {"taskFinalStatus": {"producerTask": PIPELINE}}}
        return {
            **self.task(NOTIFY, status),
            "dependentTasks": [PIPELINE],
            "triggerPolicy": {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"},
        }

    def _tfx_task(self, step: str, task: Json) -> Json:
        inputs = task.get("inputs", {})
        parameters = {
            name: _surveyed(SURVEYED[step, name]) if (step, name) in SURVEYED else _constant(value)
            for name, value in inputs.get("parameters", {}).items()
        }
        needs_survey = any("taskOutputParameter" in value for value in parameters.values())
        dependencies = {task_name(name) for name in task.get("dependentTasks", [])} | ({SURVEY} if needs_survey else set())
        own = self.task(task_name(step), parameters, label(step))
        own["inputs"]["artifacts"] = {name: _artifact(value) for name, value in inputs.get("artifacts", {}).items()}
        return {**own, "dependentTasks": sorted(dependencies)}

    def _caching(self, task: str) -> Json:
        if task in _UNCACHED or f"exec-{task}" not in self.executors:
            return {}
        return {"enableCache": options_of(self.config.kubeflow, task).cache is not False}

    def _retries(self, task: str) -> Json:
        if f"exec-{task}" not in self.executors:
            return {}  # A group hands its retries to its tasks, which have their own.
        retries = _NOTIFY_RETRIES if task == NOTIFY else options_of(self.config.kubeflow, task).retries
        if not retries:
            return {}
        policy = {"maxRetryCount": retries, "backoffDuration": "30s", "backoffFactor": 2.0, "backoffMaxDuration": "600s"}
        return {"retryPolicy": policy}


def _component(tfx: Json) -> Json:
    return {key: _definitions(tfx[key]) for key in ("inputDefinitions", "outputDefinitions") if key in tfx}


def _definitions(tfx: Json) -> Json:
    """Types of artifacts by their titles: an instance schema is lost on the way to the step, and MLMD is going."""
    own: Json = {}
    if "artifacts" in tfx:
        own["artifacts"] = {
            name: {"artifactType": {"schemaTitle": _title(artifact["artifactType"]), "schemaVersion": _TYPE_VERSION}}
            for name, artifact in tfx["artifacts"].items()
        }
    if "parameters" in tfx:
        own["parameters"] = {
            name: {"parameterType": parameter["parameterType"]} for name, parameter in tfx["parameters"].items()
        }
    return own


def _title(artifact_type: Json) -> str:
    """The title in the first line of TFX's instance schema, which is YAML: `title: tfx.Examples`."""
    if "schemaTitle" in artifact_type:
        return artifact_type["schemaTitle"]
    key, _, title = artifact_type["instanceSchema"].partition("\n")[0].partition(": ")
    if key != "title" or not title:
        raise ValueError(f"no title in the artifact type {artifact_type}")
    return title.strip()


def _with_input_types(args: list[str], component: Json) -> list[str]:
    """The arguments that TFX emits, with the types of the inputs as the component has them now."""
    at = args.index("--json_serialized_inputs_spec_args") + 1
    return [*args[:at], json.dumps(component.get("inputDefinitions", {}), sort_keys=True), *args[at + 1 :]]


def _artifact(tfx: Json) -> Json:
    output = tfx["taskOutputArtifact"]
    return {
        "taskOutputArtifact": {
            "producerTask": task_name(output["producerTask"]),
            "outputArtifactKey": output["outputArtifactKey"],
        }
    }


def _constant(tfx: Json) -> Json:
    """A constant; whole numbers as such, for not every protobuf writes 1.0 as 1."""
    value = tfx["runtimeValue"]["constant"]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return {"runtimeValue": {"constant": value}}


def _surveyed(output: str) -> Json:
    return {"taskOutputParameter": {"producerTask": SURVEY, "outputParameterKey": output}}


def _types(parameters: Json) -> Json:
    return {name: {"parameterType": parameter["parameterType"]} for name, parameter in parameters.items()}


def _resources(options: StepOptions) -> Json:
    """The fields that the backend reads: backend/src/v2/driver/driver.go, initPodSpecPatch."""
    resources: Json = {}
    if options.cpu is not None:
        resources |= {"resourceCpuRequest": options.cpu, "resourceCpuLimit": options.cpu}
    if options.memory is not None:
        resources |= {"resourceMemoryRequest": options.memory, "resourceMemoryLimit": options.memory}
    if options.accelerator is not None:
        accelerator = options.accelerator
        resources["accelerator"] = {"resourceType": accelerator.resource, "resourceCount": str(accelerator.count)}
    return {"resources": resources} if resources else {}


def _environment(options: StepOptions) -> Json:
    if not options.env:
        return {}
    return {"env": [{"name": name, "value": value} for name, value in sorted(options.env.items())]}


def _survey_component() -> Json:
    outputs = sorted({*SURVEYED.values(), VERDICT})
    return {
        "inputDefinitions": {
            "parameters": {
                "data_root": _STRING,
                "epochs": {"parameterType": "NUMBER_INTEGER"},
                "run_date": _STRING,
                "overrides": _STRING,
            }
        },
        "outputDefinitions": {"parameters": {name: _STRING for name in outputs}},
    }


def _survey_container(config: RunConfig) -> Json:
    return {
        "image": config.kubeflow.image,
        "command": [COMMAND, SURVEY],
        "args": ["--executor_input", "{{$}}", "--config", config.model_dump_json(by_alias=True)],
    }


def _notify_component() -> Json:
    return {"inputDefinitions": {"parameters": {"status": {"parameterType": "TASK_FINAL_STATUS", "isOptional": True}}}}


def _notify_container(config: RunConfig) -> Json:
    return {
        "image": config.kubeflow.image,
        "command": [COMMAND, NOTIFY],
        "args": ["--executor_input", "{{$}}"],
    }
