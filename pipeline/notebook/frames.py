"""Results of a run as dataframes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from components.evaluator.results import Check, Evaluation, Measured, SliceMetrics
from components.example_gen.quarantine import IngestionSummary, Quarantined
from components.trainer.history import TrainingHistory


def epochs_frame(histories: Sequence[TrainingHistory]) -> pd.DataFrame:
    """A row for each epoch, by `training` (1, or the fold) and `epoch`; `best` marks the exported ones."""
    rows = [
        {
            "training": number,
            "epoch": epoch.epoch,
            "seconds": epoch.seconds,
            "milliseconds_per_step": epoch.milliseconds_per_step,
            "learning_rate": epoch.learning_rate,
            **epoch.metrics,
            "best": epoch.epoch == history.best_epoch,
        }
        for number, history in enumerate(histories, 1)
        for epoch in history.epochs
    ]
    return pd.DataFrame(rows).set_index(["training", "epoch"])


def metrics_frame(evaluation: Evaluation) -> pd.DataFrame:
    """A row for each metric of a slice of a model, with its interval.

    `model` is `candidate` or `baseline`; `column` and `value` name the slice and are empty for the whole split; `class`
    is empty for metrics over all classes.
    """
    rows = []
    for model, measured in (("candidate", evaluation.candidate), ("baseline", evaluation.baseline)):
        rows += [{"model": model, **row} for row in _measured_rows(measured)]
    return pd.DataFrame(rows)


def confusion_frame(metrics: SliceMetrics, classes: Sequence[str]) -> pd.DataFrame:
    """Pixels: the rows are the truth, the columns the prediction."""
    frame = pd.DataFrame(metrics.confusion, index=list(classes), columns=list(classes))
    return frame.rename_axis(index="truth", columns="prediction")


def checks_frame(checks: Sequence[Check]) -> pd.DataFrame:
    """A row for each check of the verdict."""
    return pd.DataFrame([check.model_dump() for check in checks], columns=list(Check.model_fields))


def class_pixels_frame(summary: IngestionSummary) -> pd.DataFrame:
    """Pixels: a row for each class, a column for each split."""
    return pd.DataFrame(summary.class_pixels, index=list(summary.classes)).rename_axis(index="class", columns="split")


def quarantine_frame(quarantined: Sequence[Quarantined]) -> pd.DataFrame:
    """A row for each pair that was set aside, with its reason."""
    return pd.DataFrame([pair.model_dump(mode="json") for pair in quarantined], columns=list(Quarantined.model_fields))


def _measured_rows(measured: Measured | None) -> Iterator[dict[str, Any]]:
    for part in (measured.overall, *measured.slices) if measured else ():
        place = {"column": part.column, "value": part.value, "pictures": part.pictures}
        for name, estimate in part.estimates():
            metric, _, class_name = name.partition("/")
            yield {
                **place,
                "metric": metric,
                "class": class_name or None,
                "estimate": estimate.value,
                "low": estimate.low,
                "high": estimate.high,
            }
