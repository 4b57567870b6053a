"""Cluster options of the Trainers of a cross-validation: those of the step `trainer`, unless a fold has its own."""

from __future__ import annotations

from pipeline.config.run_config import RunConfig
from pipeline.dag.steps import TRAINER, trainers_of


def with_fold_steps(config: RunConfig) -> RunConfig:
    """Returns the configuration with `kubeflow.steps.trainer` in the place of each fold's missing options."""
    folds, steps = config.data.split.folds, dict(config.kubeflow.steps)
    common = steps.pop(TRAINER.task, None)
    if not folds or common is None:
        return config
    for step in trainers_of(folds):
        own = steps.get(step.task)
        steps[step.task] = own.over(common) if own else common
    return config.model_copy(update={"kubeflow": config.kubeflow.model_copy(update={"steps": steps})})
