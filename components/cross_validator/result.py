"""Result of a cross-validation, readable without TensorFlow: `cross_validation.json`."""

from __future__ import annotations

import statistics
from typing import NamedTuple

from pydantic import Field

from common.settings import Settings
from components.evaluator.results import SliceMetrics
from components.trainer.history import TrainingHistory

CROSS_VALIDATION_FILE = "cross_validation.json"

CAUTION = (
    "The best epoch of each model was chosen on its own fold, so these figures are slightly optimistic; the test split "
    "has chosen nothing."
)


class Spread(NamedTuple):
    """Mean and sample standard deviation of a metric over the folds that have it."""

    mean: float | None
    deviation: float | None


class FoldResult(Settings):
    """The model that was trained without a fold, and its metrics there."""

    fold: int = Field(description="From 1.")
    metrics: SliceMetrics
    history: TrainingHistory


class CrossValidation(Settings):
    """Metrics of each fold's model on that fold, and of all folds together."""

    classes: tuple[str, ...]
    folds: tuple[FoldResult, ...]
    pooled: SliceMetrics = Field(
        description="Metrics of the counts of all folds together, each image predicted by the model that was trained "
        "without it; the interval is over the images, not over trainings."
    )
    caution: str = CAUTION

    def spread(self, metric: str) -> Spread:
        """Returns mean and deviation over the folds of a metric, such as `mean_iou` or `iou/<class>`."""
        found = [fold.metrics.metric(metric).value for fold in self.folds]
        values = [value for value in found if value is not None]
        if not values:
            return Spread(None, None)
        return Spread(statistics.mean(values), statistics.stdev(values) if len(values) > 1 else None)
