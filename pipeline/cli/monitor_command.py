"""CLI command that looks for drift in what is served: `monitor`."""

from __future__ import annotations

import datetime
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from common.errors import UserError
from common.plurals import counted
from common.webhook import WEBHOOK_VARIABLE
from pipeline.cli.log_options import (
    going_on,
    log_format_option,
    log_option,
    metrics_port_option,
    pushgateway_option,
    textfile_option,
    webhook_option,
)
from pipeline.cli.number_types import FiniteRange
from pipeline.cli.options import handle_errors, registry_uri
from pipeline.cli.output_file import check_all_writable, write_file

if TYPE_CHECKING:  # Imported when the command runs.
    from rich.console import Console

    from pipeline.monitor.metrics import MonitorMetrics
    from pipeline.monitor.monitor import Monitor
    from pipeline.monitor.result import MonitorReport, WindowResult
    from pipeline.monitor.retraining import Trigger
    from registry.store import Registry

DRIFT, NOT_JUDGED = 3, 4
"""Exit statuses of --once; those of errors (1) and of wrong options (2) are others."""
_COLOURS = {"drift": "red", "no drift": "green"}


@click.command("monitor")
@click.argument("registry", required=False, envvar="SEGPIPE_REGISTRY")
@log_option
@log_format_option
@click.option(
    "--window",
    default="1h",
    show_default=True,
    metavar="SIZE",
    help="A time (15m, 1h, 1d) or a number of images (500).",
)
@click.option("--once", is_flag=True, help="Judge the newest windows and exit: 0 no drift, 3 drift, 4 not judged.")
@click.option("--exit-zero", is_flag=True, help="With --once: exit status 0 whatever was found, for schedulers.")
@click.option("--poll", type=FiniteRange(min=1), metavar="SECONDS", help="Pause between looks.  [default: 60]")
@click.option(
    "--false-alarms", type=float, metavar="SHARE", help="Probability of a false alarm a window.  [default: 0.01]"
)
@click.option("--least-distance", type=float, help="Smallest distance of a feature that counts.  [default: 0.1]")
@click.option("--least-images", type=int, help="Images that a window must have.  [default: 50]")
@click.option("--frames", type=int, help="Successive images that show the same, and count as one.  [default: 1]")
@click.option("--in-a-row", type=int, help="Windows that must drift before webhook and retraining.  [default: 2]")
@click.option(
    "--delay", type=float, metavar="SECONDS", help="Time until a window's files are complete.  [default: 120]"
)
@click.option("-o", "--out", type=click.Path(path_type=Path, dir_okay=False), help="JSON file to write.")
@click.option("--page", type=click.Path(path_type=Path, dir_okay=False), help="HTML page to write.")
@textfile_option
@pushgateway_option
@metrics_port_option
@webhook_option
@click.option(
    "--retrain",
    "config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Configuration of the pipeline to run when there is drift: on Kubeflow with --host, else on this machine.",
)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE|@FILE", help="Override a key of it.")
@click.option("--host", envvar="KFP_ENDPOINT", metavar="URL", help="Address of Kubeflow Pipelines, or KFP_ENDPOINT.")
@click.option(
    "--ca", "certificate", envvar="KFP_CA_CERT", type=click.Path(path_type=Path), help="CA certificate of the host's."
)
@click.option(
    "--retrain-hours",
    type=FiniteRange(min=0),
    default=24.0,
    show_default=True,
    help="Least time between two runs that drift starts.",
)
@handle_errors
def monitor(registry: str | None, log: str, log_format: str, window: str, once: bool, **options: Any) -> None:
    """Compare the requests in a log with the evaluation of the version that answered, window by window.

    Compared are the share of each class, the confidence, and brightness, contrast and size of the images.  Without
    --once it goes on until it is stopped.

    \b
    Example:
      segpipe monitor runs/sample/registry --log runs/sample/requests --window 500 --once
    """
    check_all_writable({"--out": options["out"], "--page": options["page"]})
    if options["exit_zero"] and not once:
        raise UserError("--exit-zero needs --once: without it the command ends only when it is stopped")
    _Command(registry_uri(registry), log, log_format, window, options).run(once)


class _Command:
    """One call of the command."""

    def __init__(self, uri: str, log: str, log_format: Any, window: str, options: dict[str, Any]) -> None:
        from pipeline.cli.console import make_console
        from pipeline.monitor.metrics import MonitorMetrics
        from pipeline.monitor.monitor import Monitor
        from pipeline.monitor.settings import parse_window
        from registry.store import Registry

        self._options = options
        self._registry: Registry = Registry(uri)
        self._monitor: Monitor = Monitor(self._registry, log, log_format, parse_window(window), _settings(options))
        self._metrics: MonitorMetrics = MonitorMetrics()
        self._console: Console = make_console()
        self._trigger = self._make_trigger()
        self._shown: set[tuple[int, datetime.datetime]] = set()

    def run(self, once: bool) -> None:
        """Judges once, or again and again."""
        if self._options["port"]:
            self._metrics.serve(self._options["port"])
        if once:
            report = self._look()
            for note in report.notes:
                click.echo(f"note: {note}", err=True)
            self._print(report.windows)
            if not report.windows:
                click.echo("there is no complete window in the log", err=True)
            self._write(report)
            if not self._options["exit_zero"]:
                sys.exit(_status(report))
            return
        while True:
            with going_on("not judged"):
                report = self._look()
                self._print([window for window in report.windows if self._is_new(window)])
                with going_on("not written"):
                    self._write(report)
            time.sleep(self._options["poll"] or 60)

    def _look(self) -> MonitorReport:
        report = self._monitor.look(datetime.datetime.now(datetime.timezone.utc))
        report = self._act(report)
        self._metrics.show(report, self._registry.latest_retraining())
        self._show_run(report.model)
        return report

    def _act(self, report: MonitorReport) -> MonitorReport:
        """Starts a run and notifies the webhook, if enough windows have drifted and the newest is a new one."""
        from pipeline.monitor.retraining import retrain

        new = {window.version for window in report.newest() if (window.version, window.end) not in self._shown}
        if self._trigger and report.served in new.intersection(self._monitor.confirmed(report)):
            reason = next(each.detail for each in report.newest() if each.version == report.served)
            done = retrain(self._registry, self._trigger, report.served, reason)
            report = report.model_copy(update={"retraining": done})
            self._console.print(done, markup=False, soft_wrap=True)
        begins = [version for version in self._monitor.just_confirmed(report) if version in new]
        if begins and self._options["webhook"]:
            self._notify(report, begins)
        return report

    def _notify(self, report: MonitorReport, versions: list[int]) -> None:
        from common.webhook import send
        from pipeline.monitor.message import compose

        try:
            send(self._options["webhook"], compose(report, versions), place=f"--webhook or {WEBHOOK_VARIABLE}")
        except UserError as error:  # What was found is still shown and written.
            click.echo(f"warning: {error}", err=True)

    def _show_run(self, model: str) -> None:
        if self._trigger is None:
            return
        try:
            found = self._trigger.newest_run()
        except UserError as error:
            click.echo(f"warning: the newest run is not known: {error}", err=True)
            return
        if found is not None:
            self._metrics.show_run(model, found[0].timestamp(), found[1])

    def _write(self, report: MonitorReport) -> None:
        from pipeline.monitor.page import monitor_page

        out, page = self._options["out"], self._options["page"]
        if out is not None:
            write_file(out, report.model_dump_json(indent=1))
        if page is not None:
            write_file(page, monitor_page(report), "--page")
        if self._options["textfile"] is not None:
            self._metrics.write(self._options["textfile"])
        if self._options["pushgateway"]:
            self._metrics.push(self._options["pushgateway"], report.model)

    def _print(self, windows: Any) -> None:
        for window in windows:
            _print_window(self._console, window)

    def _is_new(self, window: WindowResult) -> bool:
        key = window.version, window.end
        is_new = key not in self._shown
        self._shown.add(key)
        return is_new

    def _make_trigger(self) -> Trigger | None:
        from pipeline.monitor.retraining import Trigger

        options = self._options
        if options["config"] is None:
            if options["overrides"]:
                raise UserError("--set needs --retrain: the configuration whose keys it overrides")
            return None
        trigger = Trigger(
            options["config"],
            options["overrides"],
            options["host"],
            options["certificate"],
            options["retrain_hours"],
        )
        trigger.check(self._registry)
        return trigger


def _settings(options: dict[str, Any]) -> Any:
    from pydantic import ValidationError

    from common.settings_errors import mistakes_in
    from pipeline.monitor.settings import MonitorSettings

    names = {
        "false_alarms": "false_alarms",
        "least_distance": "least_distance",
        "least_images": "least_images",
        "frames": "frames",
        "in_a_row": "windows_in_a_row",
        "delay": "delay_seconds",
    }
    given = {key: options[option] for option, key in names.items() if options[option] is not None}
    try:
        return MonitorSettings(**given)
    except ValidationError as error:
        first = mistakes_in(error, MonitorSettings)[0]
        option = next(option for option, key in names.items() if key == str(first.loc[0]))
        raise UserError(f"--{option.replace('_', '-')}{first.text.removeprefix(str(first.loc[0]))}") from None


def _status(report: MonitorReport) -> int:
    newest = report.newest()
    if any(window.state == "drift" for window in newest):
        return DRIFT
    return 0 if any(window.is_judged for window in newest) else NOT_JUDGED


def _print_window(console: Console, window: WindowResult) -> None:
    from rich.table import Table
    from rich.text import Text

    when = f"{window.begin:%Y-%m-%d %H:%M} – {window.end:%Y-%m-%d %H:%M} UTC"
    line = Text(f"version {window.version}, {when}, {counted(window.images, 'image')}: ")
    line.append(window.state, _COLOURS.get(window.state, "yellow"))
    console.print(line, soft_wrap=True)
    if window.state != "no drift":
        console.print(f"  {window.detail}", markup=False, soft_wrap=True)
    if window.untested:
        console.print(f"  not tested, too few known values: {', '.join(window.untested)}", markup=False, soft_wrap=True)
    if not window.features:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("  feature", "reference", "window", "distance", "p"):
        table.add_column(heading, justify="left" if heading == "  feature" else "right", overflow="fold")
    for each in sorted(window.features, key=lambda each: each.p_value):
        cells = (
            f"{each.reference_median:.3g}",
            f"{each.window_median:.3g}",
            f"{each.distance:.2f}",
            f"{each.p_value:.2g}",
        )
        table.add_row(f"  {each.name}", *cells, style="bold red" if each.drifted else None)
    console.print(table)
