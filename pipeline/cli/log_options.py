"""Options of the commands that judge a request log: `monitor` and `rollout decide`."""

from __future__ import annotations

from pathlib import Path

import click

from common.webhook import WEBHOOK_VARIABLE

log_option = click.option("--log", required=True, metavar="URI", help="Request log: a folder or bucket.")
log_format_option = click.option(
    "--log-format",
    type=click.Choice(("segpipe", "tensorflow_serving", "kserve")),
    default="segpipe",
    show_default=True,
    help="What wrote the log.",
)
textfile_option = click.option(
    "--textfile", type=click.Path(path_type=Path, dir_okay=False), help="Metrics for node_exporter: NAME.prom."
)
pushgateway_option = click.option("--pushgateway", metavar="URL", help="Push the metrics to this Pushgateway.")
metrics_port_option = click.option(
    "--serve", "port", type=click.IntRange(1, 65535), help="Port to serve the metrics on."
)
webhook_option = click.option(
    "--webhook", envvar=WEBHOOK_VARIABLE, metavar="URL", help=f"Webhook to notify, or {WEBHOOK_VARIABLE}."
)
