"""Executor of the step `BatchPredictor`."""

from __future__ import annotations

import os
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from common import progress
from components import component_keys as keys
from components.batch_predictor.config import BatchPredictionConfig
from components.batch_predictor.entries import Counts
from components.batch_predictor.model_copy import facts_of_version, fetched
from components.batch_predictor.out_folder import INDEX, REJECTED_FILE, SUMMARY_FILE, OutFolder
from components.batch_predictor.run import predict_all
from components.pusher.result import PUSHED_FILE, PushResult
from registry.store import Registry


class Executor(base_beam_executor.BaseBeamExecutor):
    """Predicts the images that the output folder has no result of."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """As in `BatchPredictor`.

        Raises:
            UserError: see `run.predict_all`.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        config = BatchPredictionConfig.model_validate_json(exec_properties[keys.BATCH_CONFIG])
        registry = Registry(exec_properties[keys.REGISTRY])
        artifact = artifact_utils.get_single_instance(output_dict[keys.PREDICTIONS])
        fileio.makedirs(artifact.uri)
        served = _served(input_dict[keys.PUSHED_MODEL])
        if served is None:
            progress.report("nothing is predicted: no version is served")
            _write(artifact.uri, SUMMARY_FILE, Counts().model_dump_json(indent=2).encode())
            return
        manifest, config = registry.manifest(served), config.at_version(served)
        counts = predict_all(
            config,
            facts_of_version(manifest),
            lambda out: fetched(registry, manifest, out),
            self._make_beam_pipeline,
        )
        _copy_account(OutFolder(config.out), artifact.uri)
        artifact.set_int_custom_property("predicted", counts.predicted)
        artifact.set_int_custom_property("rejected", counts.rejected)
        artifact.set_string_custom_property("model_version", str(served))
        artifact.set_string_custom_property("destination", config.out)


def _served(pushed_model: list[types.Artifact]) -> int | None:
    """Returns the version that was served when the pusher ended."""
    with fileio.open(os.path.join(artifact_utils.get_single_uri(pushed_model), PUSHED_FILE)) as file:
        return PushResult.model_validate_json(file.read()).served


def _copy_account(out: OutFolder, folder: str) -> None:
    for path in (SUMMARY_FILE, REJECTED_FILE, *(f"{INDEX}/{name}" for name in out.names(INDEX))):
        _write(folder, path, out.read(path))


def _write(folder: str, path: str, data: bytes) -> None:
    target = os.path.join(folder, path)
    fileio.makedirs(os.path.dirname(target))
    with fileio.open(target, "wb") as file:
        file.write(data)
