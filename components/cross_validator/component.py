"""Declaration of the step that evaluates the models of a cross-validation on their own folds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components import component_keys as keys
from components.artifacts import CrossValidationResult
from components.cross_validator import executor
from components.evaluator.config import EvaluatorConfig
from components.fold_inputs import by_fold, fold_inputs


class CrossValidatorSpec(ComponentSpec):
    """Inputs, outputs and parameters of `CrossValidator`."""

    PARAMETERS: ClassVar = {
        keys.EVALUATOR_CONFIG: ExecutionParameter(type=str),
        keys.CLASSES: ExecutionParameter(type=str),
        keys.CODE: ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = {
        keys.EXAMPLES: ChannelParameter(type=standard_artifacts.Examples),
        **fold_inputs(keys.MODEL, standard_artifacts.Model),
        **fold_inputs(keys.MODEL_RUN, standard_artifacts.ModelRun),
    }
    OUTPUTS: ClassVar = {keys.CROSS_VALIDATION: ChannelParameter(type=CrossValidationResult)}


class CrossValidator(base_beam_component.BaseBeamComponent):
    """Computes the evaluator's metrics of each fold's model on the fold that it was not trained on.

    ```python
    cross_validator = CrossValidator(
        examples=example_gen.outputs["examples"],
        models=[trainer.outputs["model"] for trainer in trainers],
        model_runs=[trainer.outputs["model_run"] for trainer in trainers],
        config=run_config.evaluator,
        classes=run_config.data.classes,
    )
    ```

    Outputs:
        cross_validation: `cross_validation.json` (`components.cross_validator.result.CrossValidation`) beside TFMA's
            files.
    """

    SPEC_CLASS = CrossValidatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        models: Sequence[types.BaseChannel],
        model_runs: Sequence[types.BaseChannel],
        config: EvaluatorConfig,
        classes: Sequence[str],
        code: str = "",
    ) -> None:
        """Declares the step.

        Args:
            examples: Records, with their folds.
            models: The models of folds 1 ….
            model_runs: Their training histories.
            config: The evaluator's configuration, of which the metrics are used.
            classes: Names of the classes, in the order of their indices.
            code: Digest of the step's code; a different one invalidates the cache.
        """
        super().__init__(
            CrossValidatorSpec(
                examples=examples,
                evaluator_config=config.model_dump_json(),
                classes=json.dumps(list(classes)),
                code=code,
                cross_validation=types.Channel(type=CrossValidationResult),
                **by_fold(keys.MODEL, models),
                **by_fold(keys.MODEL_RUN, model_runs),
            )
        )
