"""Declaration of the step `SegmentationEvaluator`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import component_spec, standard_artifacts, standard_component_specs

from components import component_keys as keys
from components.evaluator import executor
from components.evaluator.config import EvaluatorConfig


class SegmentationEvaluatorSpec(component_spec.ComponentSpec):
    """Inputs, outputs and parameters of `SegmentationEvaluator`."""

    PARAMETERS: ClassVar[dict] = {
        keys.EVALUATOR_CONFIG: component_spec.ExecutionParameter(type=str),
        keys.CLASSES: component_spec.ExecutionParameter(type=str),
        keys.CODE: component_spec.ExecutionParameter(type=str),
    }
    INPUTS: ClassVar[dict] = {
        standard_component_specs.EXAMPLES_KEY: component_spec.ChannelParameter(type=standard_artifacts.Examples),
        standard_component_specs.MODEL_KEY: component_spec.ChannelParameter(type=standard_artifacts.Model),
        standard_component_specs.BASELINE_MODEL_KEY: component_spec.ChannelParameter(
            type=standard_artifacts.Model, optional=True
        ),
    }
    OUTPUTS: ClassVar[dict] = {
        standard_component_specs.EVALUATION_KEY: component_spec.ChannelParameter(
            type=standard_artifacts.ModelEvaluation
        ),
        standard_component_specs.BLESSING_KEY: component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
    }


class SegmentationEvaluator(base_beam_component.BaseBeamComponent):
    """Computes the metrics of a segmentation model by class and slice, and blesses it if it meets all thresholds.

    The model's signature `evaluate` turns records into confusion counts; TFMA adds them up, on the whole
    split and on each slice, for the model and its baseline.

    ```python
    evaluator = SegmentationEvaluator(
        examples=example_gen.outputs["examples"],
        model=trainer.outputs["model"],
        baseline_model=baseline.outputs["model"],
        config=run_config.evaluator,
        classes=run_config.data.classes,
    )
    ```

    Component `outputs` contains:

    - `evaluation`: `standard_artifacts.ModelEvaluation` with `metrics.json` (`results.Evaluation`) beside TFMA's files.
    - `blessing`: `standard_artifacts.ModelBlessing` with the custom property `blessed`, 1 or 0, and a file `BLESSED`
      or `NOT_BLESSED`, as TFX's Evaluator writes it.
    """

    SPEC_CLASS = SegmentationEvaluatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        model: types.BaseChannel,
        config: EvaluatorConfig,
        classes: Sequence[str],
        baseline_model: types.BaseChannel | None = None,
        code: str = "",
    ) -> None:
        """Declares the step.

        Args:
            examples: records, including the split to evaluate on.
            model: the model to evaluate.
            config: metrics, slices and thresholds.
            classes: names of the classes, in the order of their indices.
            baseline_model: the blessed model, or a folder with `NO_BASELINE`.
            code: digest of the step's code; a different one invalidates the cache.
        """
        super().__init__(
            SegmentationEvaluatorSpec(
                examples=examples,
                model=model,
                baseline_model=baseline_model,
                evaluator_config=config.model_dump_json(),
                classes=json.dumps(list(classes)),
                code=code,
                evaluation=types.Channel(type=standard_artifacts.ModelEvaluation),
                blessing=types.Channel(type=standard_artifacts.ModelBlessing),
            )
        )
