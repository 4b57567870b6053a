"""Decides whether a model is blessed: a pure function of metrics and thresholds.

A class that is absent from a slice, in truth and prediction, is not judged there.  What was not measured is not
blessed:

- A threshold with no applicable data, because its slice or class does not occur, fails.
- If fewer than two classes have pixels, whichever they are, a mean over classes is meaningless: predicting that class
  everywhere reaches 1.  A threshold on a mean needs a slice with two; a whole split with fewer blesses nothing.
- A class without a pixel in the truth is not measured by its wrong predictions either: they make its IoU 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from components.evaluator.cautions import cautions
from components.evaluator.config import EvaluatorConfig, Threshold
from components.evaluator.constant import constant_prediction
from components.evaluator.results import Check, Measured, SliceMetrics, Verdict

OVERALL = "overall"
ROUNDING = 1e-9
"""A value that misses its bound by less than this meets it: 0.87 − 0.01 need not be 0.86 in floating point."""
LEAST_CLASSES = 2
"""Number of classes with pixels that are needed to distinguish a model from a constant."""

_Kind = Literal["at_least", "at_most", "may_drop", "better_than_constant"]
_MEANS = {"mean_iou": "iou", "mean_dice": "dice"}


def judge(
    config: EvaluatorConfig, candidate: Measured, baseline: Measured | None, baseline_version: int | None
) -> Verdict:
    """Checks every threshold of `config` on the candidate.

    Args:
        config: holds the thresholds.
        candidate: the metrics of the model.
        baseline: the metrics that it must not fall behind; without them, `may_drop` is not checked.
        baseline_version: the baseline's version in the registry.
    """
    checks: list[Check] = []
    for threshold in config.thresholds:
        if threshold.at_least is not None:
            checks += _check(threshold, "at_least", candidate, None)
        if threshold.at_most is not None:
            checks += _check(threshold, "at_most", candidate, None)
        if threshold.better_than_constant:
            checks += _check(threshold, "better_than_constant", candidate, None)
        if threshold.may_drop is not None and baseline is not None:
            checks += _check(threshold, "may_drop", candidate, baseline)
    if len(candidate.overall.occurring) < LEAST_CLASSES:
        missed = [check for check in checks if not check.passed and check.value is not None]
        checks = [_too_few_classes(config, candidate.overall), *missed]
    return Verdict(
        blessed=all(check.passed for check in checks),
        baseline_version=baseline_version if baseline else None,
        note=_note(baseline, baseline_version),
        checks=tuple(checks),
        warnings=cautions(config.split, candidate.overall),
    )


def _note(baseline: Measured | None, version: int | None) -> str:
    if baseline is None:
        return "There was no baseline to compare with: only absolute thresholds were checked."
    return f"Compared with version {version}." if version is not None else "Compared with the baseline."


def _check(threshold: Threshold, kind: _Kind, candidate: Measured, baseline: Measured | None) -> list[Check]:
    """Checks a threshold on each applicable slice; fails if no slice has the data that it needs."""
    checks, measured = [], False
    for part in _parts(candidate, threshold):
        check = _asked(threshold, kind, part, baseline)
        if check is not None:
            checks.append(check)
            measured = measured or _is_measured(threshold.metric, part)
    if measured:
        return checks
    return [_unmeasured(threshold, kind, candidate), *(check for check in checks if not check.passed)]


def _asked(threshold: Threshold, kind: _Kind, part: SliceMetrics, baseline: Measured | None) -> Check | None:
    """Checks a threshold on one slice; `None` if there is nothing to compare."""
    value = part.metric(threshold.metric).value
    if value is None:
        return None
    if kind == "better_than_constant":
        constant = _constant(threshold.metric, part)
        return None if constant is None else _compared_with_constant(threshold, part, value, constant)
    if kind == "at_most":
        return None if threshold.at_most is None else _bounded_above(threshold, part, value, threshold.at_most)
    if kind == "at_least" or baseline is None:
        return None if threshold.at_least is None else _bounded(threshold, kind, part, value, threshold.at_least)
    other = _same_slice(part, baseline)
    reference = other.metric(threshold.metric).value if other else None
    if other is None or reference is None:
        return None
    common = _common_classes(threshold.metric, part, other)
    if common:
        value, reference = (_mean_over(common, threshold.metric, each) for each in (part, other))
    return _bounded(threshold, kind, part, value, reference, common)


def _is_measured(metric: str, part: SliceMetrics) -> bool:
    """Returns whether the truth of a slice has the metric's class."""
    _, _, class_name = metric.partition("/")
    if class_name:
        return class_name in part.occurring
    return len(part.occurring) >= (LEAST_CLASSES if metric in _MEANS else 1)


def _constant(metric: str, part: SliceMetrics) -> float | None:
    """Returns what predicting one class everywhere reaches on a slice; `None` if the slice has only one class."""
    if len(part.occurring) < LEAST_CLASSES:
        return None
    pixels = part.truth_pixels
    return constant_prediction(list(pixels.values()), list(pixels)).get(metric)


def _common_classes(metric: str, part: SliceMetrics, other: SliceMetrics) -> tuple[str, ...]:
    """Returns the classes common to two means; empty if both go over the same ones.

    They differ if one model predicts a class that the truth lacks: its 0 lowers only that model's mean.
    """
    if metric not in _MEANS or set(part.averaged) == set(other.averaged):
        return ()
    return tuple(name for name in part.averaged if name in other.averaged)


def _mean_over(classes: Sequence[str], metric: str, part: SliceMetrics) -> float:
    estimates = getattr(part, _MEANS[metric])
    return float(sum(estimates[name].value for name in classes) / len(classes))


def _parts(measured: Measured, threshold: Threshold) -> Iterator[SliceMetrics]:
    """Describes where the threshold is checked."""
    wanted = threshold.slice
    if wanted is None:
        yield measured.overall
    elif isinstance(wanted, str):
        yield from (part for part in measured.slices if part.column == wanted)
    else:
        yield from (part for part in measured.slices if (part.column, part.value) in wanted.items())


def _same_slice(part: SliceMetrics, measured: Measured) -> SliceMetrics | None:
    """Returns the other model's slice with the same images."""
    places = (measured.overall, *measured.slices)
    return next((place for place in places if (place.column, place.value) == (part.column, part.value)), None)


def _bounded(
    threshold: Threshold,
    kind: _Kind,
    part: SliceMetrics,
    value: float,
    reference: float,
    common: Sequence[str] = (),
) -> Check:
    bound = reference - threshold.may_drop if kind == "may_drop" and threshold.may_drop is not None else reference
    passed = value >= bound - ROUNDING
    relation = "meets" if passed else "is below"
    origin = f" (baseline {reference:.3f} less {threshold.may_drop:g})" if kind == "may_drop" else ""
    shown = _distinguishable(value, bound)
    return Check(
        metric=threshold.metric,
        slice=_name(part),
        kind=kind,
        value=value,
        bound=bound,
        passed=passed,
        detail=f"{threshold.metric} {shown[0]} on {_name(part)} {relation} the threshold {shown[1]}{origin}"
        f"{_averaged(threshold.metric, part, common)}.",
    )


def _bounded_above(threshold: Threshold, part: SliceMetrics, value: float, bound: float) -> Check:
    passed = value <= bound + ROUNDING
    relation = "meets" if passed else "is above"
    shown = _distinguishable(value, bound)
    return Check(
        metric=threshold.metric,
        slice=_name(part),
        kind="at_most",
        value=value,
        bound=bound,
        passed=passed,
        detail=f"{threshold.metric} {shown[0]} on {_name(part)} {relation} the threshold {shown[1]}.",
    )


def _averaged(metric: str, part: SliceMetrics, common: Sequence[str]) -> str:
    """Formats `, over 3 of 4 classes`; empty if the mean goes over all classes."""
    if common:
        return f", over the {len(common)} classes that both models are measured on"
    if metric not in _MEANS or len(part.averaged) == len(part.iou):
        return ""
    return f", over {len(part.averaged)} of {len(part.iou)} classes"


def _compared_with_constant(threshold: Threshold, part: SliceMetrics, value: float, constant: float) -> Check:
    passed = value > constant + ROUNDING
    relation = "is better than" if passed else "is not better than"
    shown = _distinguishable(value, constant)
    where = _name(part)
    return Check(
        metric=threshold.metric,
        slice=where,
        kind="better_than_constant",
        value=value,
        bound=constant,
        passed=passed,
        detail=f"{threshold.metric} {shown[0]} on {where} {relation} predicting one class everywhere ({shown[1]}).",
    )


def _distinguishable(value: float, bound: float) -> tuple[str, str]:
    """Formats both figures with enough decimals to differ, three to nine."""
    for decimals in range(3, 10):
        shown = f"{value:.{decimals}f}", f"{bound:.{decimals}f}"
        if shown[0] != shown[1]:
            return shown
    return f"{value:.3f}", f"{bound:.3f}"


def _too_few_classes(config: EvaluatorConfig, overall: SliceMetrics) -> Check:
    return Check(
        metric="classes",
        slice=OVERALL,
        kind="measured",
        value=len(overall.occurring),
        bound=LEAST_CLASSES,
        passed=False,
        detail=f"No verdict is possible: the masks of the {config.split} split have {_only(overall)}; "
        "check data.labels, or give that split images of other classes.",
    )


def _only(part: SliceMetrics) -> str:
    return f"pixels of {part.occurring[0]} only" if part.occurring else "no pixel that counts"


def _unmeasured(threshold: Threshold, kind: _Kind, candidate: Measured) -> Check:
    """Fails a threshold without applicable data; its bound is 0 if there is no value to derive it from."""
    where = _wanted(threshold)
    one_class = [part for part in _parts(candidate, threshold) if part.metric(threshold.metric).value is not None]
    if one_class and (threshold.metric in _MEANS or kind == "better_than_constant"):
        why = f"there are {_only(one_class[0])}"
    elif any(threshold.metric.partition("/")[2] in part.occurring for part in _parts(candidate, threshold)):
        why = "no pixel is predicted as that class"
    else:
        why = "the evaluator's split has no such images or class"
    return Check(
        metric=threshold.metric,
        slice=where,
        kind=kind,
        value=None,
        bound=(getattr(threshold, kind, None) or 0.0) if kind in ("at_least", "at_most") else 0.0,
        passed=False,
        detail=f"{threshold.metric} on {where} could not be measured: {why}.",
    )


def _wanted(threshold: Threshold) -> str:
    if isinstance(threshold.slice, dict):
        return ", ".join(f"{column}={value}" for column, value in threshold.slice.items())
    return threshold.slice or OVERALL


def _name(part: SliceMetrics) -> str:
    return OVERALL if part.column is None else f"{part.column}={part.value}"
