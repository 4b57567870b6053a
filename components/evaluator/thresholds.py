"""Validates that thresholds name metrics, classes and slices that exist."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable

from common.errors import UserError
from components.evaluator.config import METRIC_NAMES, EvaluatorConfig, Threshold
from components.evaluator.families.names import metric_names

OVERALL_METRICS = ("mean_iou", "mean_dice", "pixel_accuracy")
CLASS_METRICS = ("iou", "dice")


def check_thresholds(
    config: EvaluatorConfig, classes: Collection[str], slice_names: Collection[str] | None = None
) -> None:
    """Rejects a configuration that names what does not exist.

    Args:
        config: the section `evaluator` of the configuration.
        classes: names of the classes.
        slice_names: slicing columns and buckets that the data has; `None` where that is not known yet.

    Raises:
        UserError: with the key's path, what is wrong and what exists.
    """
    for index, name in enumerate(config.slices):
        if slice_names is not None and name not in slice_names:
            raise _unknown(f"evaluator.slices[{index}]", "slice", name, slice_names)
    further = _further_metrics(config, classes)
    for index, threshold in enumerate(config.thresholds):
        path = f"evaluator.thresholds[{index}]"
        _check_metric(f"{path}.metric", threshold.metric, classes, further)
        _check_slice(f"{path}.slice", threshold, config.slices)


def _further_metrics(config: EvaluatorConfig, classes: Collection[str]) -> tuple[str, ...]:
    """Returns the names of the metrics of `config.metrics`."""
    for index, family in enumerate(config.metrics):
        for name in getattr(family, "classes", None) or ():
            if name not in classes:
                raise _unknown(f"evaluator.metrics[{index}].classes", "class", name, classes)
        if family.type in [other.type for other in config.metrics[:index]]:
            raise UserError(f"evaluator.metrics[{index}]: {family.type} is there twice; leave one out.")
    return metric_names(config.metrics, tuple(classes))


def _check_metric(path: str, metric: str, classes: Collection[str], further: Collection[str]) -> None:
    family, _, class_name = metric.partition("/")
    if metric in further:
        return
    if family in CLASS_METRICS and class_name:
        if class_name not in classes:
            raise _unknown(path, "class", class_name, classes)
    elif metric not in OVERALL_METRICS:
        raise _unknown(path, "metric", metric, (*METRIC_NAMES, *further))


def _check_slice(path: str, threshold: Threshold, slices: Collection[str]) -> None:
    if isinstance(threshold.slice, dict) and len(threshold.slice) != 1:
        raise UserError(f"{path}: give one column and one value, such as {{photograph: china}}.")
    columns: Iterable[str] = [threshold.slice] if isinstance(threshold.slice, str) else threshold.slice or ()
    for column in columns:
        if column not in slices:
            hint = f"add it to evaluator.slices (now: {', '.join(slices) or 'none'})"
            raise UserError(f"{path}: {column!r} is not measured; {hint}.")


def _unknown(path: str, kind: str, name: str, known: Collection[str]) -> UserError:
    close = difflib.get_close_matches(name, list(known), n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(known) or 'none'}."
    return UserError(f"{path}: there is no {kind} {name!r}; {hint}")
