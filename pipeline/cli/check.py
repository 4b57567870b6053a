"""`segpipe check` and `segpipe schema infer`: checks the data without running the pipeline."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table
from rich.text import Text

from common.errors import UserError
from common.records import SPLITS
from components.evaluator.config import EvaluatorConfig
from components.example_gen.causes import describe_causes, group_causes
from components.example_gen.config import PresetSource, TfdsSource
from components.example_gen.quarantine import IngestionSummary, Quarantined
from components.exporter.formats import check_packages
from components.report.sinks.check import check_sinks
from components.trainer.batch_statistics import small_batch_warning
from pipeline.beam.check import check_engine, check_options
from pipeline.cli.console import quiet_streams
from pipeline.config.run_config import RunConfig
from pipeline.dag.run_date import on_date
from pipeline.dag.schema_file import read_schema, with_folds, write_first_schema, written
from pipeline.local.disk_need import print_need
from registry.store import Registry

if TYPE_CHECKING:  # They import TensorFlow.
    from components.data_gate.checks import Statistics
    from components.data_gate.rehearsal import Rehearsal
    from components.data_gate.result import GateReport
    from components.example_gen.check import OnProgress

_SHOWN = 20
_COLUMNS = 8


def check_data(config: RunConfig, date: datetime.date | None = None) -> None:
    """Checks everything that could stop a run on `date` before training; prints what would be used and quarantined.

    Every pair is read and decoded as in ingestion, and the data gate's own function judges the result.  If the
    configuration names a schema that does not exist yet, a first one is written.

    Raises:
        UserError: the encoder's weights are missing or do not fit, the engine of `beam` does not answer, the source,
            the registry or the schema cannot be read, the evaluator asks for slices that the data does not have, or the
            data gate would stop the run.
    """
    check_engine(config.beam)
    check_sinks(config.sinks)
    check_packages(config.export.converted, "export.formats")
    with quiet_streams(_log_file(config, "check")) as console:
        _check_weights(config, console)
        with console.status("listing pairs") as status:
            check_options(config.beam)
            config = on_date(config, date)
            rehearsal, too_small = _rehearse(config, status)
        console.print(f"[green]✓[/] the configuration of [bold]{config.name}[/] is valid")
        _print_dates(console, config)
        _print_notes(console, rehearsal.summary)
        _print_splits(console, rehearsal.summary)
        _print_quarantined(console, rehearsal.quarantined)
        print_need(config, console)
        report = _judge(config, rehearsal, console)
        _print_warnings(console, [f"data gate: {finding.detail}" for finding in report.warnings])
        _print_warnings(console, too_small)
        few = small_batch_warning(config.trainer, config.trainer.batch_size // config.trainer.workers)
        _print_warnings(console, [few] if few else [])
        _print_warnings(console, _unmeasured(config.evaluator, rehearsal.statistics))
    if not report.passed:
        from components.data_gate.result import told

        raise UserError(f"the data gate would stop this run, {told(report.failures)}")


def infer_schema_file(config: RunConfig, overwrite: bool) -> None:
    """Writes a first schema from the data to where the configuration looks for it.

    Raises:
        UserError: a schema exists already, the data cannot be read, or the data gate would refuse it.
    """
    path = config.schema_file
    if path.exists() and not overwrite:
        raise UserError(f"{path} exists and may have been edited; --force overwrites it")
    with quiet_streams(_log_file(config, "schema")) as console:
        with console.status("listing pairs") as status:
            from components.example_gen.check import survey

            config = on_date(config)
            summary, _ = survey(config.data, config.seed, _shown_on(status))
        write_first_schema(config, summary, overwrite)
        console.print(written(path), markup=False, soft_wrap=True)


def _rehearse(config: RunConfig, status: Status) -> tuple[Rehearsal, list[str]]:
    """Returns the dry run's result, and the warnings of objects that resizing would lose."""
    from components.data_gate.rehearsal import rehearse
    from components.example_gen.object_sizes import ObjectSizes
    from components.example_gen.recorded_mask import mask_in
    from pipeline.dag.run_state import capture_run_state

    capture_run_state(config)
    sizes = ObjectSizes(config.transform, config.data.classes)
    rehearsal = rehearse(
        config.data,
        config.seed,
        _shown_on(status),
        lambda: status.update("computing the statistics"),
        None if config.transform.crops else lambda used: sizes.add(mask_in(used.record), used.slices),
    )
    return rehearsal, list(sizes.warnings())


def _shown_on(status: Status) -> OnProgress:
    return lambda done, total: status.update(f"read {done} of {total} pairs")


def _judge(config: RunConfig, rehearsal: Rehearsal, console: Console) -> GateReport:
    """Returns the data gate's report; without a usable schema it covers the ingestion summary alone."""
    from components.data_gate.checks import check_ingestion
    from components.data_gate.judge import find_anomalies, judge, read_baseline
    from components.data_gate.result import GateReport
    from components.schema_importer.parsing import parse_schema

    summary, path = rehearsal.summary, config.schema_file
    if not path.exists():
        findings = tuple(check_ingestion(summary, config.validation))
        if not all(finding.passed for finding in findings):
            console.print(
                f"no schema is written to {path}, because the data gate refuses this data", markup=False, soft_wrap=True
            )
            return GateReport(passed=False, findings=findings)
        write_first_schema(config, summary)
        console.print(written(path), markup=False, soft_wrap=True)
    schema = parse_schema(with_folds(read_schema(path), config.data.split.folds))
    console.print(f"[green]✓[/] schema {escape(str(path))}", soft_wrap=True)
    baseline = read_baseline(Registry(config.registry_uri), summary.data_fingerprint, config.validation)
    anomalies = find_anomalies(rehearsal.statistics, schema)
    return judge(summary, rehearsal.statistics, anomalies, schema, baseline, config.validation)


def _unmeasured(evaluator: EvaluatorConfig, statistics: Mapping[str, Statistics]) -> list[str]:
    """Returns a message for each threshold on a slice value that no image of the judging split has."""
    from components.data_gate.checks import slice_values
    from pipeline.dag.slices import asked_values

    return [
        f"{path}: no image of {evaluator.split} has {column} = {value!r}, so no model can meet this threshold"
        for path, column, value in asked_values(evaluator)
        if value not in slice_values(statistics[evaluator.split], column)
    ]


def _check_weights(config: RunConfig, console: Console) -> None:
    encoder = config.trainer.model.encoder
    if encoder is None or encoder.weights == "none":
        return
    with console.status(f"loading the weights of {encoder.name}"):
        from components.trainer.models import check_encoder

        check_encoder(config.trainer.model, config.transform)
    console.print(f"[green]✓[/] {encoder.name} starts from {encoder.weights}", soft_wrap=True)


def _log_file(config: RunConfig, command: str) -> Path:
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    return config.workspace_dir / "logs" / f"{command}-{stamp}.log"


def _print_dates(console: Console, config: RunConfig) -> None:
    source = config.data.source
    if not isinstance(source, (TfdsSource, PresetSource)) and source.dates:
        dates = [date.isoformat() for date in source.dates]
        shown = ", ".join(dates) if len(dates) <= _COLUMNS else f"{len(dates)} dates from {dates[0]} to {dates[-1]}"
        console.print(f"[green]✓[/] data of {shown} (window: {source.window})", soft_wrap=True)


def _print_notes(console: Console, summary: IngestionSummary) -> None:
    for note in summary.notes[:_SHOWN]:
        console.print(f"· {note}", markup=False, soft_wrap=True)
    if len(summary.notes) > _SHOWN:
        console.print(f"· … and {len(summary.notes) - _SHOWN} more such notes")


def _print_splits(console: Console, summary: IngestionSummary) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 3, 0, 0))
    table.add_column("split")
    table.add_column("pairs", justify="right", overflow="fold")
    many = len(summary.classes) > _COLUMNS
    for name in ["classes that occur"] if many else summary.classes:
        table.add_column(Text(name), justify="right", overflow="fold")
    table.add_column("void", justify="right")
    for split in SPLITS:
        shares = _class_shares(summary.class_pixels.get(split, ()), many)
        table.add_row(split, str(summary.used.get(split, 0)), *shares, f"{summary.void_share(split):.1%}")
    for number, fold in enumerate(summary.folds, 1):
        table.add_row(f"fold {number}", str(fold.pairs), *_class_shares(fold.class_pixels, many), "")
    console.print(table)


def _class_shares(pixels: Sequence[int], many: bool) -> list[str]:
    """Returns the share of each class among the pixels; of many classes, how many occur."""
    if many:
        return [f"{sum(count > 0 for count in pixels)} of {len(pixels)}"]
    return [f"{count / max(sum(pixels), 1):.1%}" for count in pixels]


def _print_quarantined(console: Console, quarantined: list[Quarantined]) -> None:
    if not quarantined:
        console.print("[green]✓[/] nothing would be quarantined")
        return
    console.print(f"{len(quarantined)} would be quarantined:")
    for line in describe_causes(group_causes(quarantined), _SHOWN):
        console.print(f"  {line}", markup=False, soft_wrap=True)


def _print_warnings(console: Console, warnings: list[str]) -> None:
    for warning in warnings:
        console.print(Text("! ", style="yellow") + Text(warning), soft_wrap=True)
