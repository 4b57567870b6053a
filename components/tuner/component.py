"""Declaration of the hyperparameter search."""

from __future__ import annotations

from tfx.components.tuner.component import Tuner
from tfx.dsl.components.base import executor_spec

from components.tuner.executor import Executor


class HyperbandTuner(Tuner):
    """TFX's Tuner with `search.json` as an additional result.

    ```python
    tuner = HyperbandTuner(
        tuner_fn="components.tuner.run.tuner_fn",
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        custom_config={"tuner": config.tuner.model_dump_json(), **what_the_trainer_gets},
    )
    trainer = Trainer(hyperparameters=tuner.outputs["best_hyperparameters"], ...)
    ```

    Outputs:
        best_hyperparameters: as TFX's Trainer reads it.
        tuner_results: TFX's `tuner_results.json`, and `search.json`, a `components.tuner.result.SearchResult`.
    """

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)
