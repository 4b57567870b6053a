"""Options and the repetition of the commands that judge a request log: `monitor` and `rollout decide`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import click

from common.errors import UserError
from common.webhook import WEBHOOK_VARIABLE
from pipeline.cli.number_types import PORT

log_option = click.option("--log", required=True, metavar="URI", help="Request log: a folder or bucket.")
log_format_option = click.option(
    "--log-format",
    type=click.Choice(("segpipe", "tensorflow_serving", "kserve")),
    default="segpipe",
    show_default=True,
    help="What wrote the log.",
)
_SUFFIX = ".prom"


def _check_textfile(_context: click.Context, _option: click.Parameter, path: Path | None) -> Path | None:
    """Checks the suffix: node_exporter ignores any other file, without a word."""
    if path is not None and path.suffix != _SUFFIX:
        raise click.BadParameter(f"{path} does not end in {_SUFFIX}, and node_exporter reads no other file.")
    return path


textfile_option = click.option(
    "--textfile",
    type=click.Path(path_type=Path, dir_okay=False),
    callback=_check_textfile,
    help="Metrics for node_exporter: NAME.prom.",
)
pushgateway_option = click.option("--pushgateway", metavar="URL", help="Push the metrics to this Pushgateway.")
metrics_port_option = click.option("--serve", "port", type=PORT, help="Port to serve the metrics on.")
webhook_option = click.option(
    "--webhook", envvar=WEBHOOK_VARIABLE, metavar="URL", help=f"Webhook to notify, or {WEBHOOK_VARIABLE}."
)


@contextlib.contextmanager
def going_on(what: str) -> Iterator[None]:
    """Reports an error on standard error, for a command that looks again: a store may be back at the next look."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  # Stores raise any.
        sentence = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        click.echo(f"{what}: {sentence}", err=True)
