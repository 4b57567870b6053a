"""Compares a window of the request log with the reference distribution of the version that answered.

Each feature is tested by itself, see `two_samples`.  As in the data gate, a difference counts only if it is larger
than chance explains and not too small to matter.  The tests assume that the images of the window, and those of the
reference, are independent: near-equal frames of a video are not, so `MonitorSettings.frames` says how many count as
one, and equal images (by digest) count once.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from common.plurals import counted
from common.two_samples import Values, as_values, distance, holm, p_values
from components.evaluator.reference import ReferenceDistribution, class_feature
from pipeline.monitor.result import FeatureResult, WindowResult
from pipeline.monitor.settings import MonitorSettings
from serving.request_log.rows import OK, LoggedImage

_NAMED = 4


class Window(NamedTuple):
    """Requests of one version between two times."""

    version: int
    begin: datetime.datetime
    end: datetime.datetime
    rows: Sequence[LoggedImage]


def judge(window: Window, reference: ReferenceDistribution | None, settings: MonitorSettings) -> WindowResult:
    """Compares a window with the reference, which is `None` if the version has none."""
    answered = [row for row in window.rows if row.status in (OK, None)]
    different = _without_repetitions(answered)
    result = WindowResult(
        version=window.version,
        begin=window.begin,
        end=window.end,
        state="no drift",
        detail="",
        images=len(different),
        repeated=len(answered) - len(different),
        refused=len(window.rows) - len(answered),
    )
    if reference is None:
        detail = (
            f"version {window.version} has no reference distribution: run the pipeline once more with "
            "evaluator.reference_images above 0, which adds it to the version if the model is the same"
        )
        return result.model_copy(update={"state": "no reference", "detail": detail})
    if len(different) < settings.least_images:
        detail = f"{len(different)} different images were answered, and {settings.least_images} are needed"
        return result.model_copy(update={"state": "too few images", "detail": detail})
    return result.model_copy(update=_compared(different, reference, settings))


def _compared(
    rows: Sequence[LoggedImage], reference: ReferenceDistribution, settings: MonitorSettings
) -> dict[str, Any]:
    """Returns what a result says of a window that is judged."""
    features, untested = _compare(rows, reference, settings)
    if not features:
        detail = f"no feature is known of {counted(settings.least_images, 'image')}: see what the log does not say"
        return {"state": "too few images", "detail": detail, "untested": untested}
    drifted = [feature for feature in features if feature.drifted]
    return {
        "state": "drift" if drifted else "no drift",
        "detail": _detail(drifted) if drifted else f"none of {counted(len(features), 'feature')} has drifted",
        "features": features,
        "untested": untested,
    }


def _without_repetitions(rows: Sequence[LoggedImage]) -> list[LoggedImage]:
    """Returns the first row of each image; rows without a digest all count."""
    seen: set[str] = set()
    kept = []
    for row in rows:
        if row.digest is None or row.digest not in seen:
            kept.append(row)
        if row.digest is not None:
            seen.add(row.digest)
    return kept


def _compare(
    rows: Sequence[LoggedImage], reference: ReferenceDistribution, settings: MonitorSettings
) -> tuple[tuple[FeatureResult, ...], tuple[str, ...]]:
    pairs = {name: (as_values(values), _values(rows, name)) for name, values in reference.features()}
    tested = {name: pair for name, pair in pairs.items() if pair[1].size >= settings.least_images}
    if not tested:
        return (), tuple(pairs)
    distances_F = np.array([distance(*pair) for pair in tested.values()])
    sizes_2F = np.array([[sample.size / settings.frames for sample in pair] for pair in tested.values()]).T
    corrected_F = holm(p_values(distances_F, *sizes_2F))
    drifted_F = (corrected_F < settings.false_alarms) & (distances_F >= settings.least_distance)
    found = zip(tested.items(), distances_F.tolist(), corrected_F.tolist(), drifted_F.tolist(), strict=True)
    features = tuple(
        FeatureResult(
            name=name,
            reference_median=float(np.median(before)),
            window_median=float(np.median(now)),
            distance=far,
            p_value=p,
            drifted=drifted,
            unknown=len(rows) - now.size,
        )
        for (name, (before, now)), far, p, drifted in found
    )
    return features, tuple(name for name in pairs if name not in tested)


def _values(rows: Sequence[LoggedImage], name: str) -> Values:
    prefix = class_feature("")
    if name.startswith(prefix):
        label = name.removeprefix(prefix)
        return as_values([(row.class_fractions or {}).get(label) for row in rows])
    return as_values([getattr(row, name) for row in rows])


def _detail(drifted: Sequence[FeatureResult]) -> str:
    largest = sorted(drifted, key=lambda feature: -feature.distance)
    named = ", ".join(
        f"{each.name} (median {each.reference_median:.3g} → {each.window_median:.3g}, distance {each.distance:.2f})"
        for each in largest[:_NAMED]
    )
    more = f" and {len(largest) - _NAMED} more" if len(largest) > _NAMED else ""
    return f"drifted: {named}{more}"
