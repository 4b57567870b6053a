"""Text form of an evaluation's metrics for the console, the summary and the dashboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from components.evaluator.families.names import LABELS
from components.evaluator.results import Estimate, Evaluation

_LABELS = {
    "mean_iou": "Mean IoU",
    "mean_dice": "Mean Dice",
    "pixel_accuracy": "Pixel accuracy",
    "iou": "IoU",
    "dice": "Dice",
    **LABELS,
}

_NAMED = 8  # classes in a list; the others are counted


def mean_iou(evaluation: Evaluation, digits: int = 2) -> str:
    """Formats the mean IoU with the context that it must be read in.

    Such as `0.81 over 3 of 4 classes (0.75–0.86; one class everywhere: 0.31; no test pixel of: rare)`.
    """
    value = evaluation.candidate.overall.mean_iou
    parts = (interval(value, digits), constant(evaluation, "mean_iou", digits), absent(evaluation))
    beside = "; ".join(part for part in parts if part)
    text = ("not measured" if value.value is None else f"{value.value:.{digits}f}") + coverage(evaluation)
    return f"{text} ({beside})" if beside else text


def interval(value: Estimate, digits: int = 2) -> str:
    """Formats the interval of an estimate, such as `0.75–0.86`; empty if it has none."""
    return "" if value.low is None or value.high is None else f"{value.low:.{digits}f}–{value.high:.{digits}f}"


def coverage(evaluation: Evaluation) -> str:
    """Formats ` over 3 of 4 classes`; empty if the means go over all classes."""
    number, of = evaluation.classes_averaged, len(evaluation.classes)
    return "" if number is None or number == of else f" over {number} of {of} classes"


def constant(evaluation: Evaluation, metric: str, digits: int = 2) -> str:
    """Formats `one class everywhere: 0.31`; empty if that was not computed."""
    value = evaluation.constant_prediction.get(metric)
    return "" if value is None else f"one class everywhere: {value:.{digits}f}"


def absent(evaluation: Evaluation) -> str:
    """Formats `no test pixel of: rare, seldom`; empty if each class has pixels."""
    names = evaluation.classes_without_pixels
    return f"no {evaluation.split} pixel of: {listed(names)}" if names else ""


def untested_slices(evaluation: Evaluation, slices: Mapping[str, Mapping[str, int]]) -> dict[str, list[str]]:
    """Returns the values of each evaluated column that no image of the split has.

    `slices` has all values of the data: column → value → images.
    """
    measured: dict[str, set[str]] = {}
    for part in evaluation.candidate.slices:
        measured.setdefault(part.column or "", set()).add(part.value or "")
    missing = {
        column: [value or "no value" for value in slices.get(column, {}) if value not in found]
        for column, found in measured.items()
    }
    return {column: values for column, values in missing.items() if values}


def listed(names: Sequence[str]) -> str:
    """Joins the names by commas; of many, only the first are listed and the others counted."""
    shown = ", ".join(names[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED} more"


def metric_label(metric: str) -> str:
    """Returns how a metric is called where people read it: `iou/building` → `IoU, building`."""
    family, _, class_name = metric.partition("/")
    label = _LABELS.get(family, family.replace("_", " "))
    return f"{label[:1].upper()}{label[1:]}" + (f", {class_name}" if class_name else "")
