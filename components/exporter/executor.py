"""Executor of the step `FormatExporter`."""

from __future__ import annotations

from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from components import component_keys as keys
from components.exporter.config import ExportConfig
from components.exporter.exporting import PLACE, Images, export_formats
from components.exporter.formats import FORMATS, check_packages
from components.exporter.samples import draw_images, first_images, input_settings

_CALIBRATION_SPLIT, _TEST_SPLIT = "train", "test"


class Executor(base_executor.BaseExecutor):
    """Copies the model and adds the formats to the copy."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """As in `FormatExporter`.

        Raises:
            UserError: a package is missing, or a format differs too much from the SavedModel.
        """
        config = ExportConfig.model_validate_json(exec_properties[keys.CONFIG])
        check_packages(config.converted, PLACE)
        settings = input_settings(exec_properties[keys.TRAINER_SETTINGS])
        examples = input_dict[keys.EXAMPLES]
        is_calibrated = any(FORMATS[name].is_quantised for name in config.converted)
        images = Images(
            test=first_images(_files(examples, _TEST_SPLIT), config.pictures),
            calibration=draw_images(
                _files(examples, _CALIBRATION_SPLIT), config.calibration_pictures, exec_properties[keys.SEED]
            )
            if is_calibrated
            else [],
        )
        trained = path_utils.serving_model_path(artifact_utils.get_single_uri(input_dict[keys.MODEL]))
        exported = path_utils.serving_model_dir(artifact_utils.get_single_uri(output_dict[keys.EXPORTED_MODEL]))
        io_utils.copy_dir(trained, exported)
        export_formats(exported, images, settings, config)


def _files(examples: list[types.Artifact], split: str) -> list[str]:
    return [io_utils.all_files_pattern(artifact_utils.get_split_uri(examples, split))]
