"""Declaration of the Trainer of one fold of cross-validation."""

from __future__ import annotations

from typing import Any, ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.proto import trainer_pb2
from tfx.types import component_spec, standard_artifacts, standard_component_specs
from tfx.utils import json_utils

from components import component_keys as keys
from components.trainer.executor import FoldExecutor

_IN_FOLDS = ["train", "eval"]
"""The splits that the folds are made of."""


class FoldTrainerSpec(standard_component_specs.TrainerSpec):
    """The Trainer's specification with the number of the fold."""

    PARAMETERS: ClassVar = {
        **standard_component_specs.TrainerSpec.PARAMETERS,
        keys.FOLD: component_spec.ExecutionParameter(type=int),
    }


class FoldTrainer(base_component.BaseComponent):
    """TFX's Trainer on the records of all folds but one, which chooses the best epoch.

    The number of the fold is a parameter of its own, because `custom_config` is one value of a run for all folds.

    ```python
    trainer = FoldTrainer(
        fold=2,
        run_fn="components.trainer.run.run_fn",
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        custom_config=settings,
    ).with_id("TrainerFold2")
    ```

    Outputs `model` and `model_run`, as TFX's Trainer.
    """

    SPEC_CLASS = FoldTrainerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(FoldExecutor)

    def __init__(
        self,
        fold: int,
        run_fn: str,
        examples: types.BaseChannel,
        transform_graph: types.BaseChannel,
        custom_config: dict[str, Any],
        hyperparameters: types.BaseChannel | None = None,
    ) -> None:
        """Declares the step.

        Args:
            fold: The fold that is held out, from 1.
            run_fn: Path of the function that trains.
            examples: The transformed records, with their folds.
            transform_graph: Their transform graph.
            custom_config: See `components.trainer.arguments.read_arguments`.
            hyperparameters: The search's choice, if there was a search.
        """
        super().__init__(
            FoldTrainerSpec(
                examples=examples,
                transform_graph=transform_graph,
                hyperparameters=hyperparameters,
                train_args=trainer_pb2.TrainArgs(splits=_IN_FOLDS),
                eval_args=trainer_pb2.EvalArgs(splits=_IN_FOLDS),
                run_fn=run_fn,
                custom_config=json_utils.dumps(custom_config),
                fold=fold,
                model=types.Channel(type=standard_artifacts.Model),
                model_run=types.Channel(type=standard_artifacts.ModelRun),
            )
        )
