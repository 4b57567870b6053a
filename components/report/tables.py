"""Table rows of an evaluation, for the report and the summary at the end of a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Sequence

from components.cross_validator.result import CrossValidation, Spread
from components.evaluator.families.names import ERRORS, LABELS, LOWER_IS_BETTER
from components.evaluator.results import Estimate, Evaluation, Measured, SliceMetrics
from components.evaluator.thresholds import OVERALL_METRICS

NO_ESTIMATE = Estimate(value=None)
FEW_PICTURES = 10
FEW_CLASSES = 8


@dataclasses.dataclass(frozen=True)
class ClassRow:
    """Metrics of one class on the whole split; `…_change` is against the baseline."""

    index: int
    name: str
    pixels: int  # of truth
    iou: Estimate
    dice: Estimate
    iou_change: float | None
    dice_change: float | None


@dataclasses.dataclass(frozen=True)
class SliceRow:
    """Metrics of one slice; `…_change` is against the baseline."""

    column: str
    value: str
    pictures: int
    mean_iou: Estimate
    mean_dice: Estimate
    pixel_accuracy: Estimate
    iou_change: float | None
    dice_change: float | None

    @property
    def few(self) -> bool:
        """Whether there are too few images for a reliable metric."""
        return self.pictures < FEW_PICTURES


@dataclasses.dataclass(frozen=True)
class ClassOfSlice:
    """IoU of one class on one slice."""

    column: str
    value: str
    class_name: str
    iou: Estimate


@dataclasses.dataclass(frozen=True)
class FurtherRow:
    """A metric of `evaluator.metrics` on the whole split; `change` is against the baseline."""

    label: str
    class_name: str
    estimate: Estimate
    change: float | None
    lower_is_better: bool


@dataclasses.dataclass(frozen=True)
class Confusion:
    """Pixels of one class that were predicted as another."""

    truth: int
    prediction: int
    pixels: int
    share: float  # of the truth's pixels


def class_rows(evaluation: Evaluation) -> list[ClassRow]:
    """Returns one row per class, in the order of the classes."""
    overall = evaluation.candidate.overall
    before = evaluation.baseline.overall if evaluation.baseline else None
    return [_class_row(index, name, overall, before) for index, name in enumerate(evaluation.classes)]


def slice_rows(evaluation: Evaluation) -> list[SliceRow]:
    """Returns one row per slice, in the order of the evaluation."""
    before = _by_slice(evaluation.baseline)
    return [_slice_row(s, before.get((s.column, s.value))) for s in evaluation.candidate.slices]


def classes_by_slice(evaluation: Evaluation) -> list[ClassOfSlice]:
    """Returns one row per class that occurs and slice."""
    return [
        ClassOfSlice(part.column or "", part.value or "", name, part.iou.get(name, NO_ESTIMATE))
        for name, estimate in evaluation.candidate.overall.iou.items()
        if estimate.value is not None
        for part in evaluation.candidate.slices
    ]


def mask_rows(evaluation: Evaluation) -> list[FurtherRow]:
    """Returns the rows of boundaries and objects."""
    return _further_rows(evaluation, [family for family in LABELS if family not in ERRORS])


def calibration_rows(evaluation: Evaluation) -> list[FurtherRow]:
    """Returns the rows of calibration; those of all pixels have no class."""
    return _further_rows(evaluation, ERRORS)


def _further_rows(evaluation: Evaluation, families: Collection[str]) -> list[FurtherRow]:
    """Returns one row per metric of `evaluator.metrics` and class, in the order of the evaluation."""
    before = evaluation.baseline.overall.further if evaluation.baseline else {}
    rows = []
    for metric, estimate in evaluation.candidate.overall.further.items():
        family, _, class_name = metric.partition("/")
        if family not in families:
            continue
        change = difference(estimate, before.get(metric, NO_ESTIMATE))
        rows.append(FurtherRow(LABELS[family], class_name, estimate, change, family in LOWER_IS_BETTER))
    return rows


@dataclasses.dataclass(frozen=True)
class FoldRow:
    """A row of the cross-validation: the model of a fold, all of them, or the ensemble."""

    name: str
    pictures: int
    best_epoch: int | None
    estimates: tuple[Estimate, ...]


@dataclasses.dataclass(frozen=True)
class FoldTable:
    """Metrics of each fold's model on its fold, their mean and deviation, the pooled ones, and the ensemble's on test.

    The deviation stands in the place of an interval.
    """

    metrics: tuple[str, ...]
    folds: tuple[FoldRow, ...]
    spreads: tuple[Spread, ...]
    pooled: FoldRow
    ensemble: FoldRow


def fold_table(result: CrossValidation, evaluation: Evaluation) -> FoldTable:
    """Returns the table of a cross-validation; of many classes, without the metrics of each class."""
    metrics = [*OVERALL_METRICS]
    if len(result.classes) <= FEW_CLASSES:
        metrics += [f"iou/{name}" for name in result.classes]
    metrics += [name for name in result.pooled.further if len(result.classes) <= FEW_CLASSES]
    overall = evaluation.candidate.overall

    def row(name: str, measured: SliceMetrics, best_epoch: int | None = None) -> FoldRow:
        return FoldRow(name, measured.pictures, best_epoch, tuple(measured.metric(metric) for metric in metrics))

    return FoldTable(
        metrics=tuple(metrics),
        folds=tuple(row(f"fold {fold.fold}", fold.metrics, fold.history.best_epoch) for fold in result.folds),
        spreads=tuple(result.spread(metric) for metric in metrics),
        pooled=row("all folds, pooled", result.pooled),
        ensemble=row(f"ensemble on {evaluation.split}", overall),
    )


def ranked(rows: Iterable[ClassRow]) -> list[ClassRow]:
    """Sorts the rows from the best IoU to the worst; absent classes come last."""
    return sorted(rows, key=lambda row: (row.iou.value is None, -(row.iou.value or 0.0), row.index))


def most_changed(rows: Sequence[ClassRow], limit: int) -> list[ClassRow]:
    """Returns at most `limit` rows whose IoU changed most, from the worst loss to the best gain."""
    known = [row for row in rows if row.iou_change is not None]
    known.sort(key=lambda row: -abs(row.iou_change or 0.0))
    return sorted(known[:limit], key=lambda row: row.iou_change or 0.0)


def worst_confusions(confusion_CC: Sequence[Sequence[int]], limit: int) -> list[Confusion]:
    """Returns the `limit` confusions with the most pixels."""
    mistakes = [
        Confusion(truth, prediction, pixels, pixels / sum(row))
        for truth, row in enumerate(confusion_CC)
        for prediction, pixels in enumerate(row)
        if truth != prediction and pixels > 0
    ]
    return sorted(mistakes, key=lambda mistake: -mistake.pixels)[:limit]


def confused_pairs(confusion_CC: Sequence[Sequence[int]]) -> int:
    """Returns the number of pairs of different classes with pixels."""
    return sum(
        pixels > 0 for truth, row in enumerate(confusion_CC) for other, pixels in enumerate(row) if truth != other
    )


def row_shares(confusion_CC: Sequence[Sequence[int]]) -> list[list[float | None]]:
    """Normalises each row of a confusion matrix by its sum; `None` if a class does not occur."""
    return [[value / sum(row) if sum(row) else None for value in row] for row in confusion_CC]


def difference(now: Estimate, before: Estimate) -> float | None:
    """`now` − `before`, if both exist."""
    return None if now.value is None or before.value is None else now.value - before.value


def _class_row(index: int, name: str, overall: SliceMetrics, before: SliceMetrics | None) -> ClassRow:
    iou, dice = overall.iou.get(name, NO_ESTIMATE), overall.dice.get(name, NO_ESTIMATE)
    iou_before = before.iou.get(name, NO_ESTIMATE) if before else NO_ESTIMATE
    dice_before = before.dice.get(name, NO_ESTIMATE) if before else NO_ESTIMATE
    pixels = sum(overall.confusion[index]) if index < len(overall.confusion) else 0
    return ClassRow(index, name, pixels, iou, dice, difference(iou, iou_before), difference(dice, dice_before))


def _slice_row(now: SliceMetrics, before: SliceMetrics | None) -> SliceRow:
    return SliceRow(
        column=now.column or "",
        value=now.value or "",
        pictures=now.pictures,
        mean_iou=now.mean_iou,
        mean_dice=now.mean_dice,
        pixel_accuracy=now.pixel_accuracy,
        iou_change=difference(now.mean_iou, before.mean_iou) if before else None,
        dice_change=difference(now.mean_dice, before.mean_dice) if before else None,
    )


def _by_slice(measured: Measured | None) -> dict[tuple[str | None, str | None], SliceMetrics]:
    return {(s.column, s.value): s for s in measured.slices} if measured else {}
