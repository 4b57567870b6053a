"""Outputs for Kubeflow's dashboard: metrics, a confusion matrix, and a summary in Markdown.

The formats are those that `frontend/src/components/viewers/MetricsVisualizations.tsx` of kubeflow/pipelines reads.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from common.markdown import plain
from common.plurals import counted
from components.data_gate.result import GateReport
from components.evaluator import wording
from components.evaluator.results import Estimate, Evaluation
from components.evaluator.thresholds import OVERALL_METRICS
from components.pusher.pushing import overall_metrics
from components.report import formats, tables
from components.report.data import ReportData

SUMMARY_FILE = "summary.md"
CONFUSION_PROPERTY = "confusionMatrix"
_MATRIX_CLASSES = 40  # one cell each in the browser, which freezes with more
_OTHERS = "(other classes)"
_TABLE_CLASSES = 24
_FAILURES = 5


def figures(evaluation: Evaluation) -> dict[str, float]:
    """Metric → value: overall, and of each class that occurs, under the names that thresholds use.

    Includes what predicting one class everywhere reaches.
    """
    constant = {f"one_class_everywhere/{name}": evaluation.constant_prediction.get(name) for name in OVERALL_METRICS}
    return overall_metrics(evaluation) | {name: value for name, value in constant.items() if value is not None}


def confusion_matrix(evaluation: Evaluation) -> dict[str, Any]:
    """Pixels by true class (rows) and predicted class (columns); of many classes, the rarest are merged."""
    names, counts_CC = list(evaluation.classes), np.array(evaluation.candidate.overall.confusion, np.int64)
    if len(names) > _MATRIX_CLASSES:
        names, counts_CC = _largest(names, counts_CC)
    return {
        "annotationSpecs": [{"displayName": name} for name in names],
        "rows": [{"row": row} for row in counts_CC.tolist()],
    }


def _largest(names: list[str], counts_CC: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Returns the classes with the most true pixels in their original order, with the sum of the others last."""
    kept = np.sort(np.argsort(-counts_CC.sum(axis=1), kind="stable")[: _MATRIX_CLASSES - 1])
    place_C = np.full(len(names), len(kept))
    place_C[kept] = np.arange(len(kept))
    sums = np.zeros((len(kept) + 1, len(kept) + 1), np.int64)
    np.add.at(sums, (place_C[:, None], place_C[None, :]), counts_CC)
    return [*(names[index] for index in kept), _OTHERS], sums


def summary(data: ReportData) -> str:
    """Data gate, evaluation, other formats, serving check and push in Markdown.

    Names in `data` are untrusted and escaped.
    """
    run = (_heading(data), _gate(data), _evaluation(data), *_folds(data))
    return "\n\n".join((*run, *_exports(data), *_serving(data), _push(data))) + "\n"


def _heading(data: ReportData) -> str:
    verdict = data.evaluation.verdict
    heading = f"# {plain(data.name)}: {'blessed' if verdict.blessed else 'not blessed'}\n\n{plain(verdict.note)}"
    return "\n".join((heading, *([""] if verdict.warnings else []), *map(_warning, verdict.warnings)))


def _warning(text: str) -> str:
    return f"- ⚠ {plain(text)}"


def _gate(data: ReportData) -> str:
    ingestion = data.ingestion
    used = ", ".join(f"{formats.count(count)} {split}" for split, count in ingestion.used.items())
    lines = [f"- {formats.count(ingestion.found)} pairs found; used: {used}"]
    if ingestion.quarantined:
        reasons = ", ".join(f"{count} {plain(reason)}" for reason, count in sorted(ingestion.quarantined.items()))
        lines.append(f"- quarantined: {reasons}")
    void = formats.void_shares(ingestion)
    if void:
        lines.append(f"- pixels that do not count (void): {void}")
    lines.append(f"- {_outcome(data.gate)}")
    lines += [_warning(finding.detail) for finding in data.gate.findings if finding.passed and finding.warning]
    return "## Data gate\n\n" + "\n".join(lines)


def _outcome(gate: GateReport) -> str:
    failed = [finding.detail for finding in gate.findings if not finding.passed]
    against = "; drift was measured against the last accepted data" if gate.drift_against else ""
    if not failed:
        return f"all {len(gate.findings)} findings passed{against}"
    return f"{len(failed)} of {len(gate.findings)} findings failed: {plain(' '.join(failed[:_FAILURES]))}"


def _evaluation(data: ReportData) -> str:
    evaluation = data.evaluation
    overall, rows = evaluation.candidate.overall, tables.ranked(tables.class_rows(evaluation))
    lines = ["| class | IoU | Dice | IoU against the baseline |", "| --- | ---: | ---: | ---: |"]
    lines += [_row(row.name, row.iou, row.dice, row.iou_change) for row in rows[:_TABLE_CLASSES]]
    before = evaluation.baseline.overall if evaluation.baseline else None
    change = tables.difference(overall.mean_iou, before.mean_iou) if before else None
    lines.append(_row(_mean_name(evaluation), overall.mean_iou, overall.mean_dice, change))
    if constant := evaluation.constant_prediction:
        everywhere = (Estimate(value=constant["mean_iou"]), Estimate(value=constant["mean_dice"]))
        lines.append(_row("one class everywhere", *everywhere, None))
    failed = [check.detail for check in evaluation.verdict.checks if not check.passed]
    notes = [f"- not kept: {plain(detail)}" for detail in failed[:_FAILURES]]
    if len(rows) > _TABLE_CLASSES:
        notes.append(f"- the other {len(rows) - _TABLE_CLASSES} classes are in the report")
    title = f"## Evaluation on {plain(evaluation.split)}, {counted(overall.pictures, 'image')}"
    return "\n\n".join((title, "\n".join(lines), *(["\n".join(notes)] if notes else [])))


def _mean_name(evaluation: Evaluation) -> str:
    coverage = wording.coverage(evaluation)
    return f"mean{coverage}" if coverage else "mean of all classes"


def _row(name: str, iou: Estimate, dice: Estimate, iou_change: float | None) -> str:
    cells = (plain(name), formats.ratio(iou.value), formats.ratio(dice.value), formats.change(iou_change))
    return f"| {' | '.join(cells)} |"


def _folds(data: ReportData) -> list[str]:
    if data.cross_validation is None:
        return []
    table = tables.fold_table(data.cross_validation, data.evaluation)
    lines = [f"| images of | images | {' | '.join(map(plain, table.metrics))} |"]
    lines.append(f"| --- | ---: |{' ---: |' * len(table.metrics)}")
    for row in (*table.folds, table.pooled, table.ensemble):
        values = " | ".join(formats.ratio(estimate.value) for estimate in row.estimates)
        lines.append(f"| {plain(row.name)} | {row.pictures} | {values} |")
    return ["## Cross-validation\n\n" + "\n".join(lines), plain(data.cross_validation.caution)]


def _exports(data: ReportData) -> list[str]:
    if data.exports is None:
        return []
    return ["## Other formats\n\n" + "\n".join(f"- {plain(form.note)}" for form in data.exports.formats)]


def _serving(data: ReportData) -> list[str]:
    return [f"## Serving check\n\n{plain(data.serving.note)}"] if data.serving else []


def _push(data: ReportData) -> str:
    return f"## Push\n\n{plain(data.push.note) if data.push else 'Nothing was pushed.'}"
