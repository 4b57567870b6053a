"""Executor of the step `Transform`: TFX's, with batches of bounded size."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tfx import types
from tfx.components.transform import executor
from tfx.types import standard_component_specs

from components import component_keys as keys
from components.transform.batches import images_in_batch
from components.transform.config import TransformConfig
from components.transform.pixel_format import pixel_format


class Executor(executor.Executor):
    """Transforms images in batches of a few megabytes.

    TFX 1.16 and 1.21 leave the size to Beam's `BatchElements`, which makes a batch of what takes a second: of how many
    images depends on the machine.  Each batch is one element for an engine, which holds up to 100 messages of elements
    in memory (`BeamFnDataInboundObserver` of Beam 2.62.0), and the analyzers' sums of floats depend on the batches.
    """

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Runs TFX's executor; its inputs, outputs and properties are those of TFX's."""
        custom = json.loads(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY])
        config = TransformConfig.model_validate_json(custom[keys.TRANSFORM])
        with _batches_of(images_in_batch(config, pixel_format(custom))):
            super().Do(input_dict, output_dict, exec_properties)


@contextmanager
def _batches_of(images: int) -> Iterator[None]:
    """Lets TFX make batches of so many images."""
    processor = executor.TransformProcessor
    before = processor._GetDesiredBatchSize
    processor._GetDesiredBatchSize = lambda *_: images
    try:
        yield
    finally:
        processor._GetDesiredBatchSize = before
