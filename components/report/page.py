"""Renders the report as one self-contained HTML page, without files or external URLs; its script is optional."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from common.page_templates import page_templates
from common.records import SPLITS
from components.evaluator import wording
from components.evaluator.results import Evaluation, SliceMetrics
from components.report import charts, formats, reliability_diagram, tables
from components.report.confusion_losses import confusion_losses
from components.report.data import ReportData
from components.report.training_curves import training_curves
from components.report.viewer import page_policy, viewer_script
from registry.exports import size_text

REPORT_FILE = "report.html"
MATRIX_CLASSES = 12  # number of classes up to which a matrix and stacked bars are readable
_LONG_TABLE = 24  # rows beyond which only the most relevant ones are shown
_CONFUSIONS = 15
_LOSSES = 10
_FINDINGS = 12
_SMALL_CHANGE = 0.01  # smallest extent of the bars of changes

_MEANS = ("mean_iou", "mean_dice")
_ASKED = {
    "at_least": "at least",
    "at_most": "at most",
    "may_drop": "drop of at most",
    "better_than_constant": "better than one class everywhere",
    "measured": "classes with pixels",
}

_TEMPLATES = Path(__file__).parent / "templates"


def render(data: ReportData) -> str:
    """Renders the page as HTML.  Every text in `data` is untrusted and escaped."""
    context: dict[str, Any] = {"data": data, "policy": page_policy(), "script": Markup(viewer_script())}  # noqa: S704
    for section in (_header, _data, _gate, _training, _folds, _evaluation, _comparison, _examples, _steps):
        context.update(section(data))
    return _environment().get_template("page.html").render(context).lstrip()


def _environment() -> jinja2.Environment:
    environment = page_templates(_TEMPLATES)
    environment.globals.update(
        bar=charts.bar,
        difference=charts.difference,
        gauge=charts.gauge,
        split_mark=charts.split_mark,
        swatch=charts.swatch,
    )
    environment.filters.update(
        formats.FILTERS,
        large=formats.large,
        moment=formats.moment,
        asked=_ASKED.__getitem__,
        file_size=size_text,
        listed=wording.listed,
    )
    return environment


def _header(data: ReportData) -> dict[str, Any]:
    evaluation, overall = data.evaluation, data.evaluation.candidate.overall
    before = evaluation.baseline.overall if evaluation.baseline else None
    figures = [
        {
            "label": label,
            "estimate": overall.metric(name),
            "change": tables.difference(overall.metric(name), before.metric(name)) if before else None,
            "bound": _bound(data, name),
            "coverage": wording.coverage(evaluation) if name in _MEANS else "",
            "constant": evaluation.constant_prediction.get(name),
        }
        for label, name in (("Mean IoU", "mean_iou"), ("Mean Dice", "mean_dice"), ("Pixel accuracy", "pixel_accuracy"))
    ]
    checks = evaluation.verdict.checks
    return {
        "figures": figures,
        "failed": [check for check in checks if not check.passed],
        "gate_warnings": sum(finding.warning for finding in data.gate.findings),
        "kept": sum(check.passed for check in checks),
        "untested": list(_untested(data)),
    }


def _untested(data: ReportData) -> Iterator[str]:
    """Names the classes and slices that no image of the evaluated split has."""
    evaluation = data.evaluation
    split, names = evaluation.split, evaluation.classes_without_pixels
    if names and not any(warning.startswith(f"No {split} pixel of") for warning in evaluation.verdict.warnings):
        yield f"No {split} pixel of: {wording.listed(names)}."
    for column, values in wording.untested_slices(evaluation, data.ingestion.slices).items():
        yield f"No {split} image has {column}: {wording.listed(values)}."


def _bound(data: ReportData, metric: str) -> float | None:
    """Returns the highest threshold on `metric` over the whole split, if any."""
    bounds = [c.bound for c in data.evaluation.verdict.checks if c.metric == metric and c.slice == "overall"]
    return max(bounds, default=None)


def _data(data: ReportData) -> dict[str, Any]:
    ingestion = data.ingestion
    splits = [split for split in SPLITS if ingestion.used.get(split)]
    shares = {split: _shares(ingestion.class_pixels.get(split, ())) for split in splits}
    scale = charts.ShareScale.for_shares([share for values in shares.values() for share in values])
    balance = _balance(data, shares, scale)
    return {
        "splits": splits,
        "used": sum(ingestion.used.values()),
        "quarantined_count": sum(ingestion.quarantined.values()),
        "stacks": _stacks(data, splits) if len(ingestion.classes) <= MATRIX_CLASSES else {},
        "void_shares": {split: formats.void_share(ingestion, split) for split in splits},
        "balance": [row for row in balance if row["occurs"]],
        "balance_absent": [row for row in balance if not row["occurs"]],
        "balance_axis": charts.share_axis(scale),
        "balance_lowest": scale.lowest,
        "slice_counts": {c: v for c, v in ingestion.slices.items() if v},
    }


def _balance(data: ReportData, shares: dict[str, list[float]], scale: charts.ShareScale) -> list[dict[str, Any]]:
    """Returns one row per class; of many, the most frequent in training first."""
    rows = []
    for index, name in enumerate(data.ingestion.classes):
        of_splits = [(split, values[index] if index < len(values) else None) for split, values in shares.items()]
        pictures = [counts[index] for counts in data.ingestion.class_pictures.values() if index < len(counts)]
        row: dict[str, Any] = {"index": index, "name": name, "shares": of_splits, "pictures": sum(pictures)}
        occurs = any(share for _, share in of_splits)
        rows.append({**row, "occurs": occurs, "strip": charts.share_dots(of_splits, scale)})
    if len(rows) > MATRIX_CLASSES:
        rows.sort(key=lambda row: -(row["shares"][0][1] or 0.0) if row["shares"] else 0.0)
    return rows


def _shares(pixels: tuple[int, ...]) -> list[float]:
    total = sum(pixels)
    return [value / total if total else 0.0 for value in pixels]


def _stacks(data: ReportData, splits: list[str]) -> dict[str, Markup]:
    pixels, void = data.ingestion.class_pixels, data.ingestion.void_pixels
    return {split: charts.stacked(pixels.get(split, ()), void.get(split, 0)) for split in splits}


def _gate(data: ReportData) -> dict[str, Any]:
    findings = sorted(data.gate.findings, key=lambda finding: (finding.passed, not finding.warning))
    telling = sum(not finding.passed or finding.warning for finding in findings)
    shown = max(telling, _FINDINGS)
    return {"findings": findings[:shown], "more_findings": findings[shown:]}


def _training(data: ReportData) -> dict[str, Any]:
    """Returns the figures of all trainings, and the curves of one; those of folds share their charts."""
    curves = training_curves(data.trainings)
    return {
        "loss_curves": curves.loss,
        "iou_curves": curves.iou,
        "gaps": sorted({e.epoch for run in data.trainings for e in run.epochs if None in e.metrics.values()}),
        "history": data.trainings[0],
        "training_seconds": sum(run.seconds for run in data.trainings),
        "parameters": sum(run.parameters for run in data.trainings),
    }


def _folds(data: ReportData) -> dict[str, Any]:
    """Returns the rows of the cross-validation, and of the ensemble on test."""
    if data.cross_validation is None:
        return {"fold_table": None}
    return {"fold_table": tables.fold_table(data.cross_validation, data.evaluation)}


def _evaluation(data: ReportData) -> dict[str, Any]:
    evaluation = data.evaluation
    rows = tables.class_rows(evaluation)
    few = len(rows) <= MATRIX_CLASSES
    confusion_CC = evaluation.candidate.overall.confusion
    columns: dict[str, list[tables.SliceRow]] = {}
    for row in tables.slice_rows(evaluation):
        columns.setdefault(row.column, []).append(row)
    return {
        "overall": evaluation.candidate.overall,
        "further": tables.mask_rows(evaluation),
        "calibration": tables.calibration_rows(evaluation),
        "reliability": _reliability(evaluation.candidate.overall),
        "has_baseline": evaluation.baseline is not None,
        "classes": [row for row in (rows if few else tables.ranked(rows)) if row.iou.value is not None],
        "constant": evaluation.constant_prediction,
        "classes_absent": [row for row in rows if row.iou.value is None],
        "class_names": evaluation.classes,
        "slices": columns,
        "slices_by_class": _slices_by_class(evaluation) if few else {},
        "matrix": charts.heat_map(evaluation.classes, tables.row_shares(confusion_CC)) if few else None,
        "confusions": [] if few else tables.worst_confusions(confusion_CC, _CONFUSIONS),
        "losses": confusion_losses(confusion_CC, _LOSSES),
        "more_losses": max(0, tables.confused_pairs(confusion_CC) - _LOSSES),
    }


def _slices_by_class(evaluation: Evaluation) -> dict[str, dict[str, list[tables.ClassOfSlice]]]:
    """Returns column → class → a row for each value, of classes that occur."""
    found: dict[str, dict[str, list[tables.ClassOfSlice]]] = {}
    for row in tables.classes_by_slice(evaluation):
        found.setdefault(row.column, {}).setdefault(row.class_name, []).append(row)
    return found


def _examples(data: ReportData) -> dict[str, Any]:
    shown = {example.number for example in (*data.worst, *data.best)}
    return {
        "only_by_class": [example for example in data.examples if example.number not in shown],
        "classes_not_shown": sum(iou.value is not None for iou in data.evaluation.candidate.overall.iou.values())
        - len(data.worst_by_class),
    }


def _steps(data: ReportData) -> dict[str, Any]:
    return {
        "longest_step": max([step.seconds for step in data.steps] + [1e-9]),
        "most_memory": max([step.megabytes or 0.0 for step in data.steps] + [1e-9]),
    }


def _reliability(overall: SliceMetrics) -> dict[str, Markup]:
    """Returns the charts of calibration by title; none if it was not measured."""
    if not any(each.pixels for each in overall.reliability):
        return {}
    return {
        "Accuracy by confidence": reliability_diagram.accuracy_by_confidence(overall.reliability),
        "Share of pixels by confidence": reliability_diagram.pixels_by_confidence(overall.reliability),
    }


def _comparison(data: ReportData) -> dict[str, Any]:
    rows = tables.class_rows(data.evaluation)
    shown = rows if len(rows) <= _LONG_TABLE else tables.most_changed(rows, _LONG_TABLE)
    of_slices = [row for row in tables.slice_rows(data.evaluation) if row.iou_change is not None]
    changes = [change for change in (*(r.iou_change for r in rows), *(r.iou_change for r in of_slices)) if change]
    return {
        "compared": shown,
        "compared_all": len(shown) == len(rows),
        "compared_slices": of_slices,
        "extent": max([abs(change) for change in changes] + [_SMALL_CHANGE]),
        "better": sum(row.iou_change is not None and row.iou_change >= 0.0005 for row in rows),
        "worse": sum(row.iou_change is not None and row.iou_change <= -0.0005 for row in rows),
    }
