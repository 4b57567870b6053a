"""A compiled pipeline as small as the client's tests need, and `segpipe` with a compiler that makes it at once."""

from __future__ import annotations

import sys
import types
from typing import Any

import yaml

from pipeline.config.run_config import RunConfig

_PARAMETERS = {"data_root": "STRING", "epochs": "NUMBER_INTEGER", "run_date": "STRING", "overrides": "STRING"}
_DEFAULTS = {"STRING": "", "NUMBER_INTEGER": 16}
_TASKS = {"survey": "Capture run state", "ingest": "Ingest pairs", "train": "Train"}


def compile_pipeline(config: RunConfig) -> str:
    """A specification with a task in the root and two in a DAG below it, and the platform's document."""
    inner = {name: _task(name, label) for name, label in _TASKS.items() if name != "survey"}
    inner["train"]["dependentTasks"] = ["ingest"]
    parameters = {name: {"parameterType": kind, "defaultValue": _DEFAULTS[kind]} for name, kind in _PARAMETERS.items()}
    spec = {
        "schemaVersion": "2.1.0",
        "pipelineInfo": {"name": config.name},
        "root": {
            "inputDefinitions": {"parameters": parameters},
            "dag": {
                "tasks": {
                    # Written before what it depends on.
                    "retrain": _task("retrain", "retrain") | {"dependentTasks": ["survey"]},
                    "survey": _task("survey", _TASKS["survey"]),
                }
            },
        },
        "components": {f"comp-{name}": {"executorLabel": f"exec-{name}"} for name in _TASKS}
        | {"comp-retrain": {"dag": {"tasks": inner}}},
        "deploymentSpec": {
            "executors": {f"exec-{name}": {"container": {"image": config.kubeflow.image}} for name in _TASKS}
        },
    }
    platform: dict[str, Any] = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {}}}}}
    return yaml.safe_dump_all([spec, platform], sort_keys=False)


def _task(name: str, label: str) -> dict[str, Any]:
    return {"componentRef": {"name": f"comp-{name}"}, "taskInfo": {"name": label}}


def main() -> None:
    """`segpipe` without TFX."""
    module = types.ModuleType("pipeline.kubeflow.compile.compiler")
    module.compile_pipeline = compile_pipeline  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    from pipeline.cli.main import main as segpipe

    segpipe()


if __name__ == "__main__":
    main()
