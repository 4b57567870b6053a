"""Charts of the training: loss and mean IoU over the epochs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from components.report import charts
from components.trainer.history import TrainingHistory


class TrainingCurves(NamedTuple):
    """The two charts, as SVG."""

    loss: Markup
    iou: Markup


def training_curves(histories: Sequence[TrainingHistory]) -> TrainingCurves:
    """Returns the charts of one training, on train and eval, or those of all folds, on eval."""
    if len(histories) > 1:
        return TrainingCurves(
            charts.curves(_of_folds(histories, "val_loss")),
            charts.curves(_of_folds(histories, "val_mean_iou"), ceiling=1.0),
        )
    (run,) = histories
    best, fine_tuned_from = run.best_epoch, run.fine_tuned_from
    losses = [_curve(run, "train", "loss"), _curve(run, "eval", "val_loss")]
    iou = [_curve(run, "train", "mean_iou"), _curve(run, "eval", "val_mean_iou")]
    return TrainingCurves(
        charts.curves(losses, best, fine_tuned_from=fine_tuned_from),
        charts.curves(iou, best, ceiling=1.0, fine_tuned_from=fine_tuned_from),
    )


def _curve(run: TrainingHistory, kind: str, metric: str, label: str = "") -> charts.Curve:
    return charts.Curve(label or kind, tuple(epoch.metrics.get(metric) for epoch in run.epochs), kind)


def _of_folds(histories: Sequence[TrainingHistory], metric: str) -> list[charts.Curve]:
    return [_curve(run, "eval", metric, f"fold {number}") for number, run in enumerate(histories, 1)]
