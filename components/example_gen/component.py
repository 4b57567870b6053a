"""Declaration of the step `ImageMaskExampleGen`, which ingests pairs of image and mask."""

from __future__ import annotations

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types import component_spec, standard_artifacts

from components import component_keys as keys
from components.artifacts import Quarantine
from components.example_gen import executor


class ImageMaskExampleGenSpec(component_spec.ComponentSpec):
    """Parameters and outputs of `ImageMaskExampleGen`."""

    PARAMETERS: ClassVar = {
        keys.DATA_CONFIG: component_spec.ExecutionParameter(type=str),
        keys.SEED: component_spec.ExecutionParameter(type=int),
        keys.DATA_FINGERPRINT: component_spec.ExecutionParameter(type=str),
        keys.CODE: component_spec.ExecutionParameter(type=str),
    }
    INPUTS: ClassVar[dict[str, component_spec.ChannelParameter]] = {}
    OUTPUTS: ClassVar = {
        keys.EXAMPLES: component_spec.ChannelParameter(type=standard_artifacts.Examples),
        keys.QUARANTINE: component_spec.ChannelParameter(type=Quarantine),
    }


class ImageMaskExampleGen(base_beam_component.BaseBeamComponent):
    """Ingests pairs of image and mask from folders, a manifest or TensorFlow Datasets.

    ```
    config = DataConfig(source=FoldersSource(root="data"), classes=("background", "building"))
    example_gen = ImageMaskExampleGen(
        data_config=config.model_dump_json(), seed=1, data_fingerprint=data_fingerprint(config.source)
    )
    ```

    Component `outputs` contains:
     - `examples`: records as `common.records` describes them, in the splits train, eval and test.
     - `quarantine`: the unusable pairs, each with its reason, and the summary of the whole data set.
    """

    SPEC_CLASS = ImageMaskExampleGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        data_config: str | RuntimeParameter,
        seed: int | RuntimeParameter,
        data_fingerprint: str | RuntimeParameter,
        code: str | RuntimeParameter = "",
    ) -> None:
        """Declares the step.

        Args:
          data_config: JSON of a `components.example_gen.config.DataConfig`.
          seed: Seed of the hash that decides on splits.
          data_fingerprint: See `components.example_gen.sources.data_fingerprint`; another one invalidates the cache.
          code: Digest of the step's code; a different one invalidates the cache.
        """
        spec = ImageMaskExampleGenSpec(
            data_config=data_config,
            seed=seed,
            data_fingerprint=data_fingerprint,
            code=code,
            examples=types.Channel(type=standard_artifacts.Examples),
            quarantine=types.Channel(type=Quarantine),
        )
        super().__init__(spec=spec)
