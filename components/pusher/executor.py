"""Executor of the step `RegistryPusher`."""

from __future__ import annotations

import json
import os
from typing import Any

from tfx import types
from tfx.components.util import model_utils
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import path_utils

from common import progress
from components import component_keys as keys
from components.evaluator.reference import REFERENCE_FILE
from components.evaluator.results import RESULTS_FILE, Evaluation
from components.example_gen.quarantine import SUMMARY_FILE, IngestionSummary
from components.pusher.config import PusherConfig
from components.pusher.pushing import Candidate, push_if_blessed
from components.pusher.result import PUSHED_FILE, PushResult
from registry.state import served_in
from registry.store import Registry


class Executor(base_executor.BaseExecutor):
    """Pushes the model if it is blessed, serves it or makes it the canary, and writes the result."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """As in `RegistryPusher`.

        Raises:
            UserError: the registry cannot take the model.
        """
        registry = Registry(exec_properties[keys.REGISTRY])
        result = push_if_blessed(
            registry, _candidate(input_dict, exec_properties), served_in(exec_properties[keys.REGISTRY_STATE])
        )
        pushed_model = artifact_utils.get_single_instance(output_dict[keys.PUSHED_MODEL])
        _write_result(registry, result, pushed_model)
        progress.report(result.note)


def _candidate(input_dict: dict[str, list[types.Artifact]], exec_properties: dict[str, Any]) -> Candidate:
    model = artifact_utils.get_single_instance(input_dict[keys.MODEL])
    blessing = artifact_utils.get_single_instance(input_dict[keys.BLESSING])
    evaluation = Evaluation.model_validate_json(_read(input_dict[keys.EVALUATION], RESULTS_FILE))
    summary = IngestionSummary.model_validate_json(_read(input_dict[keys.QUARANTINE], SUMMARY_FILE))
    if model_utils.is_model_blessed(blessing) != evaluation.verdict.blessed:
        raise ValueError(f"the blessing {blessing.uri} and the verdict of the evaluation contradict each other")
    for infra_blessing in input_dict.get(keys.INFRA_BLESSING) or []:
        if not model_utils.is_infra_validated(infra_blessing):
            raise ValueError(f"{infra_blessing.uri} does not say that the model can be served")
    config = json.loads(exec_properties[keys.RUN_CONFIG])
    return Candidate(
        model_dir=path_utils.serving_model_path(model.uri),
        model_name=exec_properties[keys.MODEL_NAME],
        data=summary,
        config=config,
        evaluation=evaluation,
        reference=_read_if_there(input_dict[keys.EVALUATION], REFERENCE_FILE),
        canary_policy=PusherConfig.model_validate(config.get("pusher", {})).policy,
    )


def _read(artifacts: list[types.Artifact], name: str) -> str:
    with fileio.open(os.path.join(artifact_utils.get_single_uri(artifacts), name)) as file:
        return file.read()


def _read_if_there(artifacts: list[types.Artifact], name: str) -> str | None:
    path = os.path.join(artifact_utils.get_single_uri(artifacts), name)
    return _read(artifacts, name) if fileio.exists(path) else None


def _write_result(registry: Registry, result: PushResult, artifact: types.Artifact) -> None:
    fileio.makedirs(artifact.uri)
    with fileio.open(os.path.join(artifact.uri, PUSHED_FILE), "w") as file:
        file.write(result.model_dump_json(indent=2))
    artifact.set_int_custom_property("pushed", int(result.pushed))
    if result.version is not None:
        artifact.set_string_custom_property("pushed_version", str(result.version))
        artifact.set_string_custom_property("pushed_destination", registry.version_location(result.version))
