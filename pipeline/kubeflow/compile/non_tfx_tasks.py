"""Tasks that are not TFX steps: the survey at the start, and the exit notification."""

from __future__ import annotations

import json

from pipeline.config.run_config import RunConfig
from pipeline.dag.steps import run_value_parameters
from pipeline.kubeflow.json_types import Json
from pipeline.kubeflow.names import COMMAND, IS_TRAINING_DUE, NOTIFY, PIPELINE, SURVEY

STRING = {"parameterType": "STRING"}

_SCHEDULE_TIME = "{{$.pipeline_job_schedule_time_utc}}"

NOTIFY_RETRIES = 2

CREATED = "schedule_time"
"""Parameter of the survey: creation time of the run, by the backend's clock (RFC 3339, UTC)."""


def run_parameters(config: RunConfig) -> Json:
    """Returns the parameters of a run; all have defaults, because a schedule sets only the date."""
    return {
        "data_root": {
            **STRING,
            "defaultValue": getattr(config.data.source, "root", ""),
            "description": "Folder of the data (on a mounted volume, gs:// or s3://).",
        },
        "epochs": {
            "parameterType": "NUMBER_INTEGER",
            "defaultValue": config.trainer.epochs,
            "description": "Epochs of training at most.",
        },
        "run_date": {
            **STRING,
            "defaultValue": "",
            "description": "The date that {date} in paths stands for; empty: the day (UTC) of the run's creation.",
        },
        "overrides": {
            **STRING,
            "defaultValue": "",
            "description": "Further keys of the configuration, key.path=value, one a line.",
        },
    }


def survey_component(config: RunConfig) -> Json:
    """Returns the survey's component: from the run's parameters and creation time to the run-time parameters."""
    return {
        "inputDefinitions": {"parameters": {**types_of(run_parameters(config)), CREATED: STRING}},
        "outputDefinitions": {"parameters": dict.fromkeys(survey_outputs(), STRING)},
    }


def survey_outputs() -> list[str]:
    """Returns the survey's output parameters: the run-time values that steps take, and whether a training is due."""
    return sorted({value for _, _, value in run_value_parameters()} | {IS_TRAINING_DUE})


def survey_inputs(config: RunConfig) -> Json:
    """Returns the survey's inputs: the run's parameters and its creation time.

    The driver expands the placeholder only in a constant input of a task: resolveInputParameter
    in backend/src/v2/driver/resolve.go.  A run of a schedule gets its label `workflowEpoch`, any other run the creation
    time of its workflow (resolvePipelineJobTimes in backend/src/v2/cmd/driver/main.go).
    """
    return {**passed_on(run_parameters(config)), CREATED: {"runtimeValue": {"constant": _SCHEDULE_TIME}}}


def survey_container(config: RunConfig) -> Json:
    """Returns the survey's container; its argument is the configuration, to which the run's parameters are applied."""
    recipe = config.model_dump(mode="json", by_alias=True, exclude={"batch_prediction", "beam", "kubeflow"})
    cluster = config.kubeflow.model_dump(mode="json", exclude_unset=True)
    return _container(config, SURVEY, "--config", json.dumps({**recipe, "kubeflow": cluster}, ensure_ascii=False))


def notify_component() -> Json:
    """Returns the exit task's component: the run's status and name are its inputs; it has no outputs."""
    status = {"parameterType": "TASK_FINAL_STATUS", "isOptional": True}
    texts = dict.fromkeys(("run_id", "run_name", "pipeline", "ui"), STRING)
    return {"inputDefinitions": {"parameters": {"status": status, **texts}}}


def notify_inputs(config: RunConfig) -> Json:
    """Returns the exit task's inputs; the driver expands the braces (resolveInputParameter in v2/driver/resolve.go)."""
    return {
        "status": {"taskFinalStatus": {"producerTask": PIPELINE}},
        "run_id": {"runtimeValue": {"constant": "{{$.pipeline_job_uuid}}"}},
        "run_name": {"runtimeValue": {"constant": "{{$.pipeline_job_name}}"}},
        "pipeline": {"runtimeValue": {"constant": config.name}},
        "ui": {"runtimeValue": {"constant": config.kubeflow.ui or ""}},
    }


def notify_container(config: RunConfig) -> Json:
    """Returns the exit task's container; the address comes from a Secret, see `platform`."""
    return _container(config, NOTIFY)


def types_of(parameters: Json) -> Json:
    """Returns the parameters without their defaults, which the enclosing group has applied."""
    return {name: {"parameterType": parameter["parameterType"]} for name, parameter in parameters.items()}


def passed_on(parameters: Json) -> Json:
    """Returns inputs of a task that pass on the parameters of the enclosing group."""
    return {name: {"componentInputParameter": name} for name in parameters}


def _container(config: RunConfig, command: str, *more: str) -> Json:
    return {
        "image": config.kubeflow.image,
        "command": [COMMAND, command],
        "args": ["--executor_input", "{{$}}", *more],
    }
