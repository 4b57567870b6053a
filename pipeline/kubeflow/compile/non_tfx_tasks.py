"""The tasks that TFX knows nothing of: the survey in front, and the word to the webhook at the end."""

from __future__ import annotations

import json
from typing import Any

from pipeline.config.run_config import RunConfig
from pipeline.dag.steps import run_value_parameters
from pipeline.kubeflow.names import COMMAND, IS_TRAINING_DUE, NOTIFY, PIPELINE, SURVEY

Json = dict[str, Any]

STRING = {"parameterType": "STRING"}

_SCHEDULE_TIME = "{{$.pipeline_job_schedule_time_utc}}"

WEBHOOK_VARIABLE = "SEGPIPE_WEBHOOK"
"""Environment variable of the last task with the webhook's address, a secret: who knows it may write there."""

NOTIFY_RETRIES = 2

CREATED = "schedule_time"
"""Parameter of the survey: when the run was created, by the backend's clock (RFC 3339, UTC)."""


def run_parameters(config: RunConfig) -> Json:
    """What may be said anew for each run; all have defaults, for a schedule gives none but the date."""
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
    """From the run's parameters and the time of its creation to what the steps depend on."""
    return {
        "inputDefinitions": {"parameters": {**types_of(run_parameters(config)), CREATED: STRING}},
        "outputDefinitions": {"parameters": dict.fromkeys(survey_outputs(), STRING)},
    }


def survey_outputs() -> list[str]:
    """Names of the survey's output parameters: the run's values that a step takes, and whether a training is due."""
    return sorted({value for _, _, value in run_value_parameters()} | {IS_TRAINING_DUE})


def survey_inputs(config: RunConfig) -> Json:
    """The run's parameters, and the time of its creation.

    The driver expands the placeholder where it is a constant input of a task, and nowhere else: resolveInputParameter
    in backend/src/v2/driver/resolve.go.  A run of a schedule gets its label `workflowEpoch`, any other run the creation
    time of its workflow (resolvePipelineJobTimes in backend/src/v2/cmd/driver/main.go).
    """
    return {**passed_on(run_parameters(config)), CREATED: {"runtimeValue": {"constant": _SCHEDULE_TIME}}}


def survey_container(config: RunConfig) -> Json:
    """Gets the whole configuration, from which it makes the run's own."""
    recipe = config.model_dump(mode="json", by_alias=True, exclude={"kubeflow"})
    cluster = config.kubeflow.model_dump(mode="json", exclude_unset=True)
    return _container(config, SURVEY, "--config", json.dumps({**recipe, "kubeflow": cluster}, ensure_ascii=False))


def notify_component() -> Json:
    """From how the run ended, and what it is called, to nothing."""
    status = {"parameterType": "TASK_FINAL_STATUS", "isOptional": True}
    texts = dict.fromkeys(("run_id", "run_name", "pipeline", "ui"), STRING)
    return {"inputDefinitions": {"parameters": {"status": status, **texts}}}


def notify_inputs(config: RunConfig) -> Json:
    """The driver puts in what the braces name: resolveInputParameter in backend/src/v2/driver/resolve.go."""
    return {
        "status": {"taskFinalStatus": {"producerTask": PIPELINE}},
        "run_id": {"runtimeValue": {"constant": "{{$.pipeline_job_uuid}}"}},
        "run_name": {"runtimeValue": {"constant": "{{$.pipeline_job_name}}"}},
        "pipeline": {"runtimeValue": {"constant": config.name}},
        "ui": {"runtimeValue": {"constant": config.kubeflow.ui or ""}},
    }


def notify_container(config: RunConfig) -> Json:
    """Gets the address from a Secret, see `platform`."""
    return _container(config, NOTIFY)


def types_of(parameters: Json) -> Json:
    """The same parameters without their defaults: whoever passes them on has applied these."""
    return {name: {"parameterType": parameter["parameterType"]} for name, parameter in parameters.items()}


def passed_on(parameters: Json) -> Json:
    """Inputs of a task that are those of the group around it."""
    return {name: {"componentInputParameter": name} for name in parameters}


def _container(config: RunConfig, command: str, *more: str) -> Json:
    return {
        "image": config.kubeflow.image,
        "command": [COMMAND, command],
        "args": ["--executor_input", "{{$}}", *more],
    }
