"""First task of a run: captures the run-time state and resolves the steps' run-time parameters.

The pipeline is compiled once and runs often.  This task provides what a local run captures when it starts (the data's
fingerprint, the served version), and applies the parameters that a person sets for a single run.
"""

from __future__ import annotations

import datetime
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from common import progress
from common.errors import UserError
from components.example_gen.window import depends_on_date
from components.trainer.config import BLESSED
from pipeline.config.run_config import RunConfig, make_config
from pipeline.dag.parameters import run_values
from pipeline.dag.run_date import is_placeholder, on_date, parse_run_date
from pipeline.dag.run_state import RunState, capture_run_state
from pipeline.dag.skip_policy import needs_training
from pipeline.kubeflow.compile.non_tfx_tasks import CREATED
from pipeline.kubeflow.json_types import Json
from pipeline.kubeflow.names import IS_TRAINING_DUE
from registry.store import Registry

_CHANGEABLE = ("data", "trainer", "report")
_FIXED = ("data.classes", "data.split.folds", "trainer.workers")


def survey(compiled: Json, parameters: Mapping[str, Any]) -> dict[str, str]:
    """Resolves the run-time parameters.

    Args:
        compiled: The configuration that the pipeline was compiled from.
        parameters: The run's, see `effective_config`; `run_date`; and `schedule_time`, when the run was created.

    Returns:
        A string for each output parameter: the fields of `RunValues`, and whether a training is due.

    Raises:
        UserError: the parameters contradict the compiled pipeline, or data or registry are not usable.
    """
    config = effective_config(compiled, parameters)
    config = on_date(config, _run_date(config, parameters))
    _check_encoder(config)
    state = capture_run_state(config, _resume_root(config))
    is_due = "true" if _is_training_due(config, state) else "false"
    return {**run_values(config, state).as_texts(), IS_TRAINING_DUE: is_due}


def write_outputs(executor_input: Json, values: Mapping[str, str]) -> None:
    """Writes each parameter to the file that `collectOutputParameters` of the launcher reads."""
    for name, parameter in executor_input["outputs"]["parameters"].items():
        path = Path(parameter["outputFile"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(values[name])


def effective_config(compiled: Json, parameters: Mapping[str, Any]) -> RunConfig:
    """Returns the configuration of this run.

    Args:
        compiled: The configuration that the pipeline was compiled from.
        parameters: `data_root` and `epochs`, and `overrides`, lines of `key.path=value`; an empty text changes nothing.

    Raises:
        UserError: a parameter is invalid, or would change a key that is compiled into other steps.
    """
    before = make_config(compiled, (), "the compiled configuration")
    after = make_config(compiled, (*_named(before, parameters), *_lines(parameters)), "the run's parameters")
    for key in _changed(before.model_dump(mode="json", by_alias=True), after.model_dump(mode="json", by_alias=True)):
        if _is_compiled_in(key, before, after):
            raise UserError(f"the run's parameters: {key} is compiled into the pipeline; compile it with --set {key}=…")
    return after


def _named(config: RunConfig, parameters: Mapping[str, Any]) -> Iterator[str]:
    """Yields the named parameters as `key.path=value`."""
    root = parameters.get("data_root") or ""
    if root and root != getattr(config.data.source, "root", ""):
        if config.data.source.type == "tfds":
            raise UserError("the run's parameters: data_root is for folders and manifests; this data is of type tfds")
        yield f"data.source.root={json.dumps(root)}"
    epochs = parameters.get("epochs")
    if epochs is not None and epochs != config.trainer.epochs:
        yield f"trainer.epochs={json.dumps(epochs)}"


def _lines(parameters: Mapping[str, Any]) -> list[str]:
    lines = [line.strip() for line in str(parameters.get("overrides") or "").splitlines()]
    return [line for line in lines if line]


def _changed(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Yields the key paths of all values that differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in {**before, **after}:
            yield from _changed(before.get(key), after.get(key), f"{path}.{key}" if path else key)
    elif before != after:
        yield path


def _is_compiled_in(key: str, before: RunConfig, after: RunConfig) -> bool:
    if (
        key == "trainer.warm_start"
    ):  # This key decides whether the served model is fetched before or after the training.
        return BLESSED in (before.trainer.warm_start, after.trainer.warm_start)
    return key.split(".")[0] not in _CHANGEABLE or key.startswith(_FIXED)


def _run_date(config: RunConfig, parameters: Mapping[str, Any]) -> datetime.date:
    """Returns the run's date parameter, or else the day on which the run was created.

    Raises:
        UserError: both are missing, and the data depends on the date.
    """
    given = str(parameters.get("run_date") or "")
    created = str(parameters.get(CREATED) or "")
    if given or (created and not is_placeholder(created)):
        return parse_run_date(given or created)
    problem = f"Kubeflow did not report when this run was created ({CREATED} is {created!r})"
    if depends_on_date(config.data):
        raise UserError(
            f"{problem}, and the data has {{date}} in its paths; start the run with run_date, such as 2024-05-01, or "
            "upgrade Kubeflow Pipelines to 2.17"
        )
    progress.report(f"{problem}; no path of the data has {{date}}, so this changes nothing")
    return parse_run_date("")


def _check_encoder(config: RunConfig) -> None:
    if config.trainer.model.encoder is None:
        return
    from components.trainer.models import check_encoder  # Imports TensorFlow.

    check_encoder(config.trainer.model, config.transform)


def _resume_root(config: RunConfig) -> str:
    """Returns the Trainer's checkpoint directory: on a volume that outlives the pod, or else in the pod."""
    folder = config.kubeflow.resume_dir or os.path.join(tempfile.gettempdir(), "segpipe-resume")
    return f"{folder.rstrip('/')}/{config.name}"


def _is_training_due(config: RunConfig, state: RunState) -> bool:
    served = Registry(config.registry_uri).served_manifest()
    served_now = "nothing is served yet" if served is None else f"version {served.version} is served"
    progress.report(f"data {state.data_fingerprint[:12]}; {served_now}")
    if config.when_unchanged == "run":
        return True
    reason = needs_training(config, state.data_fingerprint, served)
    progress.report(f"a training is due: {reason}" if reason else "data and configuration are those of that version")
    return bool(reason)
