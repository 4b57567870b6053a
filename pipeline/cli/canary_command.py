"""CLI command that decides canaries by a request log: `rollout decide`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from common.errors import UserError
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
from pipeline.cli.options import handle_errors, registry_option, registry_uri

if TYPE_CHECKING:  # Imported when the command runs.
    from registry.store import Registry
    from serving.canary.controller import Step

_JOB = "segpipe-canary"
_PAUSE = 60.0


@click.command()
@registry_option
@log_option
@log_format_option
@click.option("--once", is_flag=True, help="Decide if it can be decided now, then exit.")
@click.option(
    "--poll",
    type=FiniteRange(min=1),
    default=_PAUSE,
    show_default=True,
    metavar="SECONDS",
    help="Pause between looks.",
)
@webhook_option
@textfile_option
@pushgateway_option
@metrics_port_option
@click.pass_context
@handle_errors
def decide(context: click.Context, registry: str | None, once: bool, poll: float, **options: Any) -> None:
    """Promote or roll back the canary by its policy, as the requests in a log show it.

    For servers other than the embedded one, which decides by itself.  A canary that a person has started has no policy,
    and is left alone.  Without --once it goes on until it is stopped.

    \b
    Example:
      segpipe rollout decide --log s3://team/requests --once
    """
    command = _Command(registry_uri(registry or context.obj), options)
    if once:
        command.look()
        command.expose()
        return
    while True:
        with going_on("not decided"):
            command.look()
            with going_on("metrics not written"):
                command.expose()
        time.sleep(poll)


class _Command:
    """One call of the command."""

    def __init__(self, uri: str, options: dict[str, Any]) -> None:
        from prometheus_client import CollectorRegistry

        from pipeline.monitor import exposition
        from pipeline.monitor.canary_observations import LoggedObservations
        from registry.store import Registry
        from serving.canary.controller import CanaryController
        from serving.canary.metrics import CanaryMetrics

        self._options = options
        self._registry: Registry = Registry(uri)
        self._metrics = CanaryMetrics(CollectorRegistry())
        observe = LoggedObservations(options["log"], options["log_format"]).observe
        self._controller = CanaryController(self._registry, observe, self._metrics, options["webhook"])
        self._said = ""
        if options["port"]:
            exposition.serve(self._metrics.registry, options["port"])

    def look(self) -> None:
        """Decides once and tells the webhook; prints what is new."""
        line = _line(self._controller.step())
        if line != self._said:
            click.echo(line)
        self._said = line
        try:
            self._controller.tell()
        except UserError as error:  # The decision stands, and the next look tells it.
            click.echo(f"warning: {error}", err=True)

    def expose(self) -> None:
        """Writes and pushes the metrics, if that is asked for."""
        from pipeline.monitor import exposition

        if self._options["textfile"] is not None:
            exposition.write(self._metrics.registry, self._options["textfile"])
        served = self._registry.served_manifest()
        if self._options["pushgateway"] and served is not None:
            exposition.push(self._metrics.registry, self._options["pushgateway"], _JOB, served.model_name)


def _line(step: Step) -> str:
    if step.decision is not None:
        return step.decision.describe()
    if step.verdict is None:
        return "there is no canary that is decided automatically"
    return f"the canary stays: {step.verdict.reason}"
