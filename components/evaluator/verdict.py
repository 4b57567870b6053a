"""Whether a model is blessed: a pure function of what was measured and of the bounds.

A class that is absent from a slice, in truth and in prediction, gives no verdict there.  A bound that could be asked
nowhere, because its slice or its class does not occur in the data, fails: what was not measured is not blessed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from components.evaluator.config import EvaluatorConfig, Threshold
from components.evaluator.results import Check, Measured, SliceMetrics, Verdict

OVERALL = "overall"
ROUNDING = 1e-9
"""A value that misses its bound by less than this meets it: 0.87 − 0.01 need not be 0.86 in floating point."""

_Kind = Literal["at_least", "may_drop"]


def judge(
    config: EvaluatorConfig, candidate: Measured, baseline: Measured | None, baseline_version: int | None
) -> Verdict:
    """Asks every bound of `config` of the candidate.

    Args:
        config: holds the thresholds.
        candidate: the model to judge.
        baseline: the model that it must not fall behind; without one, `may_drop` is not asked.
        baseline_version: the baseline's version in the registry.
    """
    checks: list[Check] = []
    for threshold in config.thresholds:
        if threshold.at_least is not None:
            checks += _check(threshold, "at_least", candidate, None)
        if threshold.may_drop is not None and baseline is not None:
            checks += _check(threshold, "may_drop", candidate, baseline)
    return Verdict(
        blessed=all(check.passed for check in checks),
        baseline_version=baseline_version if baseline else None,
        note=_note(baseline, baseline_version),
        checks=tuple(checks),
    )


def _note(baseline: Measured | None, version: int | None) -> str:
    if baseline is None:
        return "There was no baseline to compare with: only absolute bounds were asked."
    return f"Compared with version {version}." if version is not None else "Compared with the baseline."


def _check(threshold: Threshold, kind: _Kind, candidate: Measured, baseline: Measured | None) -> list[Check]:
    """The bound on each slice that it can be asked of; one failed check if there is none."""
    checks = []
    for part in _parts(candidate, threshold):
        value = part.metric(threshold.metric).value
        reference = _reference(threshold, kind, part, baseline)
        if value is not None and reference is not None:
            checks.append(_bounded(threshold, kind, _name(part), value, reference))
    return checks or [_unmeasured(threshold, kind)]


def _parts(measured: Measured, threshold: Threshold) -> Iterator[SliceMetrics]:
    """Where the threshold is asked."""
    wanted = threshold.slice
    if wanted is None:
        yield measured.overall
    elif isinstance(wanted, str):
        yield from (part for part in measured.slices if part.column == wanted)
    else:
        yield from (part for part in measured.slices if (part.column, part.value) in wanted.items())


def _reference(threshold: Threshold, kind: _Kind, part: SliceMetrics, baseline: Measured | None) -> float | None:
    """What the bound is reckoned from: the bound itself, or the baseline's value on the same slice."""
    if kind == "at_least" or baseline is None:
        return threshold.at_least
    places = (baseline.overall, *baseline.slices)
    same = [place for place in places if (place.column, place.value) == (part.column, part.value)]
    return same[0].metric(threshold.metric).value if same else None


def _bounded(threshold: Threshold, kind: _Kind, where: str, value: float, reference: float) -> Check:
    bound = reference - threshold.may_drop if kind == "may_drop" and threshold.may_drop is not None else reference
    passed = value >= bound - ROUNDING
    relation = "meets" if passed else "is under"
    origin = f" (baseline {reference:.3f} less {threshold.may_drop:g})" if kind == "may_drop" else ""
    shown = _distinguishable(value, bound)
    return Check(
        metric=threshold.metric,
        slice=where,
        kind=kind,
        value=value,
        bound=bound,
        passed=passed,
        detail=f"{threshold.metric} {shown[0]} on {where} {relation} the bound {shown[1]}{origin}.",
    )


def _distinguishable(value: float, bound: float) -> tuple[str, str]:
    """Both figures with as many decimals as it takes to tell them apart, three to nine."""
    for decimals in range(3, 10):
        shown = f"{value:.{decimals}f}", f"{bound:.{decimals}f}"
        if shown[0] != shown[1]:
            return shown
    return f"{value:.3f}", f"{bound:.3f}"


def _unmeasured(threshold: Threshold, kind: _Kind) -> Check:
    """A bound that nothing in the data answers; for `may_drop`, with a bound of 0 for want of a baseline's value."""
    where = _wanted(threshold)
    return Check(
        metric=threshold.metric,
        slice=where,
        kind=kind,
        value=None,
        bound=threshold.at_least if kind == "at_least" and threshold.at_least is not None else 0.0,
        passed=False,
        detail=f"{threshold.metric} on {where} could not be measured: the judging split has no such pictures or class.",
    )


def _wanted(threshold: Threshold) -> str:
    if isinstance(threshold.slice, dict):
        return ", ".join(f"{column}={value}" for column, value in threshold.slice.items())
    return threshold.slice or OVERALL


def _name(part: SliceMetrics) -> str:
    return OVERALL if part.column is None else f"{part.column}={part.value}"
