"""The comparison as one HTML page, without scripts, files or external URLs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup

from common.page_templates import page_templates
from components.evaluator.wording import metric_label
from components.report import charts, formats
from pipeline.comparison.comparison import Comparison
from pipeline.comparison.paired import Difference
from pipeline.comparison.side import OVERALL

NAMED = 8
"""Ids of pairs that are listed; the others are counted."""
_TEMPLATES = Path(__file__).parent / "templates"


def comparison_page(comparison: Comparison) -> str:
    """Renders the page.  Every text is untrusted and escaped."""
    environment = page_templates(_TEMPLATES)
    environment.filters.update(formats.FILTERS, label=metric_label)
    overall = comparison.metrics[OVERALL]
    context: dict[str, Any] = {
        "c": comparison,
        "headline": {each.metric: each for each in overall},
        "overall": overall,
        "slices": {place: _means(metrics) for place, metrics in comparison.metrics.items() if place != OVERALL},
        "curves": _curves(comparison),
        "changes": data_changes(comparison),
        "named": NAMED,
        "searched": searched(comparison),
        "of_whole": [each for each in comparison.recorded if each.place == OVERALL],
        "of_slices": [each for each in comparison.recorded if each.place and each.metric == "mean_iou"],
    }
    return environment.get_template("diff.html").render(context).lstrip()


def searched(comparison: Comparison) -> list[str]:
    """Returns the workspaces in which test images of the versions were looked for."""
    sides = (comparison.a.version, comparison.b.version)
    return list(dict.fromkeys(str(folder) for side in sides if side for folder in side.searched))


def data_changes(comparison: Comparison) -> dict[str, tuple[str, ...]]:
    """Returns the ids of pairs by how they differ; without those that are none."""
    if comparison.data is None:
        return {}
    data = comparison.data
    named = {
        "added": data.added,
        "removed": data.removed,
        "another image": data.new_image,
        "another mask": data.new_mask,
        "in another split": data.moved,
    }
    return {how: ids for how, ids in named.items() if ids}


def _means(metrics: Any) -> dict[str, Difference]:
    return {each.metric: each for each in metrics if each.metric in ("mean_iou", "mean_dice")}


def _curves(comparison: Comparison) -> Markup | None:
    """Returns the mean IoU on eval of both sides' trainings, if both are at hand; a side with folds has one of each."""
    runs = comparison.a.run, comparison.b.run
    if runs[0] is None or runs[1] is None:
        return None
    lines = [
        charts.Curve(
            label if len(run.histories) == 1 else f"{label}, fold {number}",
            tuple(epoch.metrics.get("val_mean_iou") for epoch in history.epochs),
            kind,
        )
        for label, kind, run in (("A", "eval", runs[0]), ("B", "train", runs[1]))
        if run is not None
        for number, history in enumerate(run.histories, 1)
    ]
    return charts.curves(lines, ceiling=1.0)
