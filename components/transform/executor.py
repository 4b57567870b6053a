"""Executor of the step `Transform`: TFX's, with batches and files of bounded size."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from apache_beam.options.pipeline_options import FlinkRunnerOptions, PipelineOptions
from tfx import types
from tfx.components.transform import executor
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils

from components import component_keys as keys
from components.transform.batches import images_in_batch, pair_bytes
from components.transform.config import TransformConfig
from components.transform.pixel_format import pixel_format
from components.transform.record_files import encode_and_write
from components.transform.share import check_share


class Executor(executor.Executor):
    """Transforms images in batches of a few megabytes, and writes files of a bounded size (`record_files.py`).

    TFX 1.16 and 1.21 leave the size of a batch to Beam's `BatchElements`, which makes it of what takes a second: of how
    many images depends on the machine.  Each batch is one element for an engine, which holds up to 100 messages of
    elements in memory (`BeamFnDataInboundObserver` of Beam 2.62.0), and the analyzers' sums of floats depend on the
    batches.
    """

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Runs TFX's executor; its inputs, outputs and properties are those of TFX's.

        Raises:
            UserError: Flink would stop, because a worker has too large a share.
        """
        custom = json.loads(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY])
        config = TransformConfig.model_validate_json(custom[keys.TRANSFORM])
        pixels = pixel_format(custom)
        images = images_in_batch(config, pixels)
        workers = PipelineOptions(self._beam_pipeline_args).view_as(FlinkRunnerOptions).parallelism
        if workers > 0 and not config.crops:
            check_share(_patterns(input_dict), pair_bytes(config, pixels), workers)
        with (
            _processor_has("_GetDesiredBatchSize", lambda *_: images),
            _processor_has("_EncodeAndWrite", staticmethod(encode_and_write)),
        ):
            super().Do(input_dict, output_dict, exec_properties)


def _patterns(input_dict: dict[str, list[types.Artifact]]) -> list[str]:
    """Returns a glob of record files for each split."""
    examples = artifact_utils.get_single_instance(input_dict[standard_component_specs.EXAMPLES_KEY])
    splits = artifact_utils.decode_split_names(examples.split_names)
    return [io_utils.all_files_pattern(artifact_utils.get_split_uri([examples], split)) for split in splits]


@contextmanager
def _processor_has(name: str, replacement: object) -> Iterator[None]:
    """Replaces an attribute of TFX's `TransformProcessor`."""
    before = vars(executor.TransformProcessor)[name]
    setattr(executor.TransformProcessor, name, replacement)
    try:
        yield
    finally:
        setattr(executor.TransformProcessor, name, before)
