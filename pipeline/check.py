"""`segpipe check` and `segpipe schema infer`: a look at the data before anything is run on it."""

from __future__ import annotations

import datetime
import tempfile
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from components.errors import UserError
from components.example_gen.config import TfdsSource
from components.example_gen.quarantine import IngestionSummary, Quarantined
from components.records import SPLITS
from pipeline.config import RunConfig
from pipeline.console import quiet_streams
from pipeline.disk_need import print_need
from pipeline.run_date import on_date

_SHOWN = 20
_COLUMNS = 8


def check_data(config: RunConfig, date: datetime.date | None = None) -> None:
    """Reads and decodes every pair as ingestion would on `date`, and says what would be used and what quarantined.

    Raises:
        UserError: the encoder's weights are missing or do not fit, the source cannot be read, or too much of it would
            be quarantined to train on.
    """
    with quiet_streams(_log_file(config, "check")) as console:
        _check_weights(config, console)
        with console.status("listing pairs") as status:
            from components.example_gen.check import survey

            config = on_date(config, date)
            summary, quarantined = survey(
                config.data, config.seed, lambda done, total: status.update(f"read {done} of {total} pairs")
            )
        console.print(f"[green]✓[/] the configuration of [bold]{config.name}[/] is sound")
        _print_dates(console, config)
        _print_splits(console, summary)
        _print_quarantined(console, quarantined)
        print_need(config, console)
        _print_schema(console, config.schema_file)
    _check_gate(config, summary)


def infer_schema_file(config: RunConfig, overwrite: bool) -> None:
    """Writes a first schema from the data to where the configuration looks for it.

    Raises:
        UserError: there is one already, or the data cannot be read.
    """
    path = config.schema_file
    if path.exists() and not overwrite:
        raise UserError(f"{path} exists and may have been edited; --force writes it anew")
    with quiet_streams(_log_file(config, "schema")) as console, tempfile.TemporaryDirectory() as scratch:
        with console.status("reading the data"):
            import apache_beam as beam

            from components.data_gate.infer import infer_schema, write_schema
            from components.example_gen.ingestion import Ingestion
            from components.example_gen.pipeline import Destination, ingest
            from components.statistics import statistics_of_records

            destination = Destination(f"{scratch}/examples", f"{scratch}/quarantine")
            config = on_date(config)
            ingestion = Ingestion(config.data, config.seed)
            listing = ingestion.listing()
            destination.prepare()
            with beam.Pipeline("FnApiRunner") as pipeline:
                ingest(pipeline, ingestion, listing, config.data.classes, destination)
            statistics = statistics_of_records(f"{scratch}/examples/Split-*/*", f"{scratch}/statistics.pb")
        summary = IngestionSummary.model_validate_json((Path(scratch) / "quarantine" / "summary.json").read_text())
        write_schema(infer_schema(statistics, config.data.classes, sorted(summary.slices)), str(path), overwrite)
        console.print(f"wrote {path}: read it, correct it, and keep it with your code", markup=False, soft_wrap=True)


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
    if not isinstance(source, TfdsSource) and source.dates:
        dates = [date.isoformat() for date in source.dates]
        shown = ", ".join(dates) if len(dates) <= _COLUMNS else f"{len(dates)} dates from {dates[0]} to {dates[-1]}"
        console.print(f"[green]✓[/] data of {shown} (window: {source.window})", soft_wrap=True)


def _print_splits(console: Console, summary: IngestionSummary) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 3, 0, 0))
    table.add_column("split")
    table.add_column("pairs", justify="right")
    many = len(summary.classes) > _COLUMNS
    for name in ["classes that occur"] if many else summary.classes:
        table.add_column(Text(name), justify="right")
    for split in SPLITS:
        pixels = summary.class_pixels.get(split, ())
        total = max(sum(pixels), 1)
        shares = [f"{count / total:.1%}" for count in pixels]
        occurring = f"{sum(count > 0 for count in pixels)} of {len(summary.classes)}"
        table.add_row(split, str(summary.used.get(split, 0)), *([occurring] if many else shares))
    console.print(table)


def _print_quarantined(console: Console, quarantined: list[Quarantined]) -> None:
    if not quarantined:
        console.print("[green]✓[/] nothing would be quarantined")
        return
    console.print(f"{len(quarantined)} would be quarantined:")
    for entry in quarantined[:_SHOWN]:
        console.print(f"  {entry.id}: {entry.reason.value}: {entry.detail}", markup=False, soft_wrap=True)
    if len(quarantined) > _SHOWN:
        console.print(f"  … and {len(quarantined) - _SHOWN} more")


def _print_schema(console: Console, path: Path) -> None:
    if path.exists():
        console.print(f"[green]✓[/] schema {escape(str(path))}", soft_wrap=True)
    else:
        console.print(
            f"there is no schema {escape(str(path))} yet; `segpipe schema infer` writes a first one", soft_wrap=True
        )


def _check_gate(config: RunConfig, summary: IngestionSummary) -> None:
    from components.data_gate.checks import check_ingestion

    failed = [finding.detail for finding in check_ingestion(summary, config.validation) if not finding.passed]
    if failed:
        raise UserError("the data gate would stop this run: " + " ".join(failed))
