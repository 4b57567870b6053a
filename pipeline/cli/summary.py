"""Summary of a run: steps, metrics, verdict, and locations of the results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from common.plurals import counted
from components.cross_validator.result import CROSS_VALIDATION_FILE, CrossValidation, Spread
from components.data_gate.result import GATE_FILE, GateReport
from components.evaluator.results import RESULTS_FILE, Estimate, Evaluation, SliceMetrics
from components.evaluator.wording import coverage
from components.example_gen.quarantine import SUMMARY_FILE as INGESTION_FILE
from components.example_gen.quarantine import IngestionSummary
from components.pusher.result import PUSHED_FILE, PushResult
from components.report.formats import ratio, void_shares
from components.report.page import REPORT_FILE
from components.report.tables import FurtherRow, calibration_rows, fold_table, mask_rows
from pipeline.dag.steps import (
    CROSS_VALIDATOR,
    DATA_GATE,
    EVALUATOR,
    EXAMPLE_GEN,
    PUSHER,
    REPORT,
    StepSpec,
    display_name,
)
from pipeline.local.run import RunOutcome


def print_summary(console: Console, outcome: RunOutcome, log_file: Path) -> None:
    """Prints a table each of steps, classes and slices; then the verdict and the locations."""
    evaluation = Evaluation.model_validate_json(_read(outcome, EVALUATOR, "evaluation", RESULTS_FILE))
    push = PushResult.model_validate_json(_read(outcome, PUSHER, "pushed_model", PUSHED_FILE))
    ingestion = IngestionSummary.model_validate_json(_read(outcome, EXAMPLE_GEN, "quarantine", INGESTION_FILE))
    gate = GateReport.model_validate_json(_read(outcome, DATA_GATE, "gate", GATE_FILE))
    parts: list[RenderableType] = [_steps(outcome), _data(ingestion, gate), _classes(evaluation)]
    further = {"boundaries and objects": mask_rows(evaluation), "calibration": calibration_rows(evaluation)}
    parts += [_further(title, rows) for title, rows in further.items() if rows]
    if evaluation.candidate.slices:
        parts.append(_slices(evaluation))
    if cross_validation := _cross_validation(outcome):
        parts.append(_folds(cross_validation, evaluation))
    console.print()
    console.print(Group(*parts))
    if cross_validation:
        console.print(f"[dim]{cross_validation.caution}[/]", soft_wrap=True)
    console.print(_verdict(evaluation, push))
    console.print(f"report   {outcome.outputs[REPORT.component]['report'] / REPORT_FILE}", markup=False, soft_wrap=True)
    console.print(f"registry {push.registry}", markup=False, soft_wrap=True)
    console.print(f"log      {log_file}", markup=False, soft_wrap=True)


def _read(outcome: RunOutcome, step: StepSpec, output: str, name: str) -> str:
    return (outcome.outputs[step.component][output] / name).read_text()


def _steps(outcome: RunOutcome) -> Table:
    table = _table("step", "seconds", "busy cores", "peak memory", "")
    for step in outcome.steps:
        how = "cached" if step.cached else "run"
        table.add_row(display_name(step.name), *_usage(step.seconds, step.cpu_seconds, step.megabytes), how, style=None)
    table.add_section()
    most = max((step.megabytes for step in outcome.steps if step.megabytes is not None), default=None)
    seconds = sum(step.seconds for step in outcome.steps)
    cpu_seconds = sum(step.cpu_seconds for step in outcome.steps)
    table.add_row("all steps", *_usage(seconds, cpu_seconds, most), "")
    return table


def _usage(seconds: float, cpu_seconds: float, megabytes: float | None) -> tuple[str, str, str]:
    cores = f"{cpu_seconds / seconds:.1f}" if seconds and cpu_seconds else "–"
    return f"{seconds:.1f}", cores, "–" if megabytes is None else f"{megabytes:.0f} MB"


def _data(ingestion: IngestionSummary, gate: GateReport) -> Text:
    text = Text(f"void pixels: {void_shares(ingestion)}")
    for finding in gate.findings:
        if finding.passed and finding.warning:
            _warn(text, f"data gate: {finding.detail}")
    return text


def _classes(evaluation: Evaluation) -> Table:
    overall, constant = evaluation.candidate.overall, evaluation.constant_prediction
    table = _table(f"class ({evaluation.split}: {counted(overall.pictures, 'image')})", "IoU", "Dice")
    for name in evaluation.classes:
        table.add_row(Text(name), _figure(overall.iou[name]), _figure(overall.dice[name]))
    table.add_section()
    table.add_row(f"mean{coverage(evaluation)}", _figure(overall.mean_iou), _figure(overall.mean_dice))
    if constant:
        everywhere = (_figure(Estimate(value=constant[name])) for name in ("mean_iou", "mean_dice"))
        table.add_row("one class everywhere", *everywhere)
    return table


def _further(title: str, rows: Sequence[FurtherRow]) -> Table:
    table = _table(title, "class", "")
    for row in rows:
        table.add_row(row.label, Text(row.class_name or "all pixels"), _figure(row.estimate))
    return table


def _cross_validation(outcome: RunOutcome) -> CrossValidation | None:
    if CROSS_VALIDATOR.component not in outcome.outputs:
        return None
    text = _read(outcome, CROSS_VALIDATOR, "cross_validation", CROSS_VALIDATION_FILE)
    return CrossValidation.model_validate_json(text)


def _folds(result: CrossValidation, evaluation: Evaluation) -> Table:
    """Returns a row for each metric: the folds, their mean and deviation, the pooled value, the ensemble's on test."""
    found = fold_table(result, evaluation)
    last = (found.pooled, found.ensemble)
    names = [*(row.name for row in found.folds), "mean ± deviation", *(row.name for row in last)]
    table = _table("cross-validation", *names)
    images = [*(row.pictures for row in found.folds), "", *(row.pictures for row in last)]
    table.add_row("images", *map(str, images))
    table.add_row("best epoch", *(str(row.best_epoch) for row in found.folds))
    for place, metric in enumerate(found.metrics):
        of_folds = [ratio(row.estimates[place].value) for row in found.folds]
        both = [_figure(row.estimates[place]) for row in last]
        table.add_row(Text(metric), *of_folds, _spread(found.spreads[place]), *both)
    return table


def _spread(spread: Spread) -> str:
    if spread.mean is None:
        return "–"
    return f"{spread.mean:.3f}" + ("" if spread.deviation is None else f" ± {spread.deviation:.3f}")


def _slices(evaluation: Evaluation) -> Table:
    table = _table("slice", "images", "mean IoU", "mean Dice")
    for metrics in evaluation.candidate.slices:
        table.add_row(
            _slice_name(metrics), str(metrics.pictures), _figure(metrics.mean_iou), _figure(metrics.mean_dice)
        )
    return table


def _verdict(evaluation: Evaluation, push: PushResult) -> Text:
    verdict = evaluation.verdict
    text = Text("blessed" if verdict.blessed else "not blessed", style="bold green" if verdict.blessed else "bold red")
    text.append(f": {verdict.note}", style="default")
    for check in verdict.checks:
        if not check.passed:
            text.append(f"\n  ✗ {check.detail}", style="default")
    for warning in verdict.warnings:
        _warn(text, warning)
    return text.append(f"\n{push.note}", style="default")


def _warn(text: Text, warning: str) -> None:
    text.append("\n  ⚠ ", style="bold yellow").append(warning, style="default")


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 3, 0, 0))
    for index, heading in enumerate(headings):
        table.add_column(heading, justify="left" if index == 0 else "right", overflow="fold")
    return table


def _figure(estimate: Estimate) -> str:
    if estimate.value is None:
        return "–"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} ({estimate.low:.3f}–{estimate.high:.3f})"


def _slice_name(metrics: SliceMetrics) -> Text:
    return Text(f"{metrics.column} = {metrics.value}")
