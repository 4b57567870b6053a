"""Executor of the step `ServingCheck`."""

from __future__ import annotations

import os
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from common import progress
from components import component_keys as keys
from components.serving_check.checks import Trial, check_served
from components.serving_check.config import ServingCheckConfig
from components.serving_check.reference import Reference, read_export
from components.serving_check.result import RESULT_FILE
from components.serving_check.sample_images import read_sample_images
from components.serving_check.warmup import write_warmup

BLESSED_FILE = "INFRA_BLESSED"
"""Marker of TFX's InfraValidator for a blessed model."""

_SPLIT = "eval"


class Executor(base_executor.BaseExecutor):
    """Copies the model, adds warm-up requests, and checks the copy behind a server."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """As in `ServingCheck`.

        Raises:
            UserError: the model cannot be served; the message says why.
        """
        config = ServingCheckConfig.model_validate_json(exec_properties[keys.CONFIG])
        export = read_export(exec_properties[keys.TRAINER_SETTINGS])
        name = exec_properties[keys.MODEL_NAME]
        trained = path_utils.serving_model_path(artifact_utils.get_single_uri(input_dict[keys.MODEL]))
        checked = path_utils.serving_model_dir(artifact_utils.get_single_uri(output_dict[keys.CHECKED_MODEL]))
        records = io_utils.all_files_pattern(artifact_utils.get_split_uri(input_dict[keys.EXAMPLES], _SPLIT))

        images = read_sample_images([records], config.pictures)
        io_utils.copy_dir(trained, checked)
        trial = Trial(checked, name, images, export.max_pixels, write_warmup(checked, name, images))
        result = check_served(trial, lambda: Reference(trained, export), config)

        blessing = artifact_utils.get_single_instance(output_dict[keys.BLESSING])
        io_utils.write_string_file(os.path.join(blessing.uri, RESULT_FILE), result.model_dump_json(indent=2))
        io_utils.write_string_file(os.path.join(blessing.uri, BLESSED_FILE), "")
        blessing.set_int_custom_property("blessed", 1)
        progress.report(result.note)
