"""Executor of the step `Ensemble`."""

from __future__ import annotations

import json
from typing import Any

import tensorflow as tf
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils, path_utils

from common import progress
from common.compatibility import skip_autograph_for_keras
from components import component_keys as keys
from components.ensemble.averaging import MemberSettings, average
from components.fold_inputs import artifacts_of_folds
from components.trainer.config import TrainerConfig
from components.trainer.export import export
from components.trainer.hyperparameters import searched, with_hyperparameters
from components.transform.config import TransformConfig
from components.transform.pixel_format import pixel_format

_SPLIT = "train"


class Executor(base_executor.BaseExecutor):
    """Averages the folds' models and exports the result."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """As in `Ensemble`.

        Raises:
            UserError: a member has a different architecture from the configuration's.
        """
        skip_autograph_for_keras()
        settings = _settings(json.loads(exec_properties[keys.TRAINER_SETTINGS]), input_dict)
        folders = [path_utils.serving_model_path(model.uri) for model in artifacts_of_folds(keys.MODEL, input_dict)]
        pattern = io_utils.all_files_pattern(artifact_utils.get_split_uri(input_dict[keys.EXAMPLES], _SPLIT))
        graph = artifact_utils.get_single_uri(input_dict[standard_component_specs.TRANSFORM_GRAPH_KEY])
        progress.update("loading the members")
        served = average(settings, folders, sorted(tf.io.gfile.glob(pattern)), graph)
        progress.update("exporting the ensemble")
        output = artifact_utils.get_single_uri(output_dict[keys.MODEL])
        export(served, path_utils.serving_model_dir(output))
        progress.report(f"exported the average of {served.members} models")


def _settings(trainer: dict[str, Any], input_dict: dict[str, list[types.Artifact]]) -> MemberSettings:
    """Reads the Trainer's `custom_config`, with the search's choice applied."""
    config = TrainerConfig.model_validate_json(trainer[keys.TRAINER])
    chosen = input_dict.get(standard_component_specs.HYPERPARAMETERS_KEY)
    if chosen:
        path = io_utils.get_only_uri_in_dir(artifact_utils.get_single_uri(chosen))
        with fileio.open(path, "r") as file:
            config = with_hyperparameters(config, searched(json.loads(file.read())))
    return MemberSettings(
        config=config,
        transform=TransformConfig.model_validate_json(trainer[keys.TRANSFORM]),
        pixels=pixel_format(trainer),
        classes=tuple(trainer[keys.CLASSES]),
    )
