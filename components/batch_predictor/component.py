"""Declaration of the step that predicts many images with the served model."""

from __future__ import annotations

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components import component_keys as keys
from components.artifacts import BatchPredictions
from components.batch_predictor.config import BatchPredictionConfig
from components.batch_predictor.executor import Executor


class BatchPredictorSpec(ComponentSpec):
    """Parameters, input and output of `BatchPredictor`."""

    PARAMETERS: ClassVar[dict[str, ExecutionParameter]] = {
        keys.BATCH_CONFIG: ExecutionParameter(type=str),
        keys.REGISTRY: ExecutionParameter(type=str),
        keys.CODE: ExecutionParameter(type=str),
    }
    INPUTS: ClassVar[dict[str, ChannelParameter]] = {
        keys.PUSHED_MODEL: ChannelParameter(type=standard_artifacts.PushedModel)
    }
    OUTPUTS: ClassVar[dict[str, ChannelParameter]] = {keys.PREDICTIONS: ChannelParameter(type=BatchPredictions)}


class BatchPredictor(base_beam_component.BaseBeamComponent):
    """Predicts masks of the configured images with the version that is served after the push.

    TFX's BulkInferrer writes all outputs of a model as protocol buffers of `tf.Example` records, begins anew after a
    failure, and fails on the first bad record.  This step writes masks and an index into a folder, goes on where an
    interrupted one has ended, and sets bad images aside with reasons.

    ```python
    batch_predictor = BatchPredictor(
        pushed_model=pusher.outputs["pushed_model"],
        config=run_config.batch_prediction,
        registry=run_config.registry_uri,
    )
    ```

    Outputs:
        predictions: `BatchPredictions` with the counts, the rejected images and the index.  If no version is served,
            nothing is predicted, and the counts are 0.
    """

    SPEC_CLASS = BatchPredictorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self, pushed_model: types.BaseChannel, config: BatchPredictionConfig, registry: str, code: str = ""
    ) -> None:
        """Declares the step.

        Args:
            pushed_model: Result of the pusher, which names the served version.
            config: Images, output folder and limits.
            registry: The registry's path or URI.
            code: Digest of the step's code.
        """
        super().__init__(
            BatchPredictorSpec(
                pushed_model=pushed_model,
                batch_config=config.model_dump_json(),
                registry=registry,
                code=code,
                predictions=types.Channel(type=BatchPredictions),
            )
        )
