"""Declaration of the step that converts the exported model to other formats."""

from __future__ import annotations

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components import component_keys as keys
from components.exporter.config import ExportConfig
from components.exporter.executor import Executor


class FormatExporterSpec(ComponentSpec):
    """Parameters, inputs and output of `FormatExporter`."""

    PARAMETERS: ClassVar[dict[str, ExecutionParameter]] = {
        keys.CONFIG: ExecutionParameter(type=str),
        keys.TRAINER_SETTINGS: ExecutionParameter(type=str),
        keys.SEED: ExecutionParameter(type=int),
        keys.CODE: ExecutionParameter(type=str),
    }
    INPUTS: ClassVar[dict[str, ChannelParameter]] = {
        keys.EXAMPLES: ChannelParameter(type=standard_artifacts.Examples),
        keys.MODEL: ChannelParameter(type=standard_artifacts.Model),
    }
    OUTPUTS: ClassVar[dict[str, ChannelParameter]] = {
        keys.EXPORTED_MODEL: ChannelParameter(type=standard_artifacts.Model)
    }


class FormatExporter(base_component.BaseComponent):
    """Converts the SavedModel to ONNX and TensorFlow Lite, compares them on test images, and stops the run if one of
    them differs too much.

    ```python
    exporter = FormatExporter(
        examples=example_gen.outputs["examples"],
        model=trainer.outputs["model"],
        config=run_config.export,
        trainer_settings=trainer_settings_text(run_config, found),
        seed=run_config.seed,
    )
    ```

    Outputs:
        exported_model: the SavedModel with the other formats in its `assets.extra`, and their record `exports.json`
            (`registry.exports.Exports`).
    """

    SPEC_CLASS = FormatExporterSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        model: types.BaseChannel,
        config: ExportConfig,
        trainer_settings: str,
        seed: int,
        code: str = "",
    ) -> None:
        """Declares the step.

        Args:
            examples: Records, with the splits `train` and `test`.
            model: The model that was exported.
            config: The formats, and how far they may differ.
            trainer_settings: The Trainer's `custom_config` as JSON, which describes the model's input.
            seed: Draws the images from which quantised formats take their ranges.
            code: Digest of the step's code; a different one invalidates the cache.
        """
        super().__init__(
            spec=FormatExporterSpec(
                examples=examples,
                model=model,
                config=config.model_dump_json(),
                trainer_settings=trainer_settings,
                seed=seed,
                code=code,
                exported_model=types.Channel(type=standard_artifacts.Model),
            )
        )
