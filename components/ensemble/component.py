"""Declaration of the step that exports the average of the folds' models as one model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts, standard_component_specs
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components import component_keys as keys
from components.ensemble.executor import Executor
from components.fold_inputs import by_fold, fold_inputs


class EnsembleSpec(ComponentSpec):
    """Inputs, outputs and parameters of `Ensemble`."""

    PARAMETERS: ClassVar = {
        keys.TRAINER_SETTINGS: ExecutionParameter(type=str),
        keys.CODE: ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = {
        keys.EXAMPLES: ChannelParameter(type=standard_artifacts.Examples),
        standard_component_specs.TRANSFORM_GRAPH_KEY: ChannelParameter(type=standard_artifacts.TransformGraph),
        standard_component_specs.HYPERPARAMETERS_KEY: ChannelParameter(
            type=standard_artifacts.HyperParameters, optional=True
        ),
        **fold_inputs(keys.MODEL, standard_artifacts.Model),
    }
    OUTPUTS: ClassVar = {keys.MODEL: ChannelParameter(type=standard_artifacts.Model)}


class Ensemble(base_component.BaseComponent):
    """Exports one SavedModel whose probabilities are the mean of those of its members, the folds' models.

    The members' networks are built from the configuration and get the weights of their exports; no code of an export
    is run.  The model has all signatures of a single one, and takes its place in the steps that follow.

    ```python
    ensemble = Ensemble(
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        models=[trainer.outputs["model"] for trainer in trainers],
        trainer_settings=values.trainer_settings,
    )
    ```

    Outputs:
        model: the ensemble.
    """

    SPEC_CLASS = EnsembleSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        transform_graph: types.BaseChannel,
        models: Sequence[types.BaseChannel],
        trainer_settings: str,
        hyperparameters: types.BaseChannel | None = None,
        code: str = "",
    ) -> None:
        """Declares the step.

        Args:
            examples: The transformed records, which hold the results of Transform's analyzers.
            transform_graph: Their transform graph.
            models: The models of folds 1 ….
            trainer_settings: The Trainer's `custom_config` as JSON.
            hyperparameters: The search's choice, if there was a search.
            code: Digest of the step's code; a different one invalidates the cache.
        """
        super().__init__(
            EnsembleSpec(
                examples=examples,
                transform_graph=transform_graph,
                hyperparameters=hyperparameters,
                trainer_settings=trainer_settings,
                code=code,
                model=types.Channel(type=standard_artifacts.Model),
                **by_fold(keys.MODEL, models),
            )
        )
