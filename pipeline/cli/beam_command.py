"""CLI command `beam-server`."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from common.errors import UserError
from pipeline.cli.number_types import PORT
from pipeline.cli.options import handle_errors

if TYPE_CHECKING:  # Imported when the command runs.
    from pipeline.beam.server.engines import Engine
    from pipeline.beam.server.processes import JavaProcesses

_POLL = 0.5


@click.command("beam-server")
@click.option(
    "--engine",
    type=click.Choice(["flink", "spark"]),
    default="flink",
    show_default=True,
    help="Flink 1.19 or Spark 3.5.",
)
@click.option(
    "--master",
    metavar="ADDRESS",
    help="An engine that runs already: HOST:PORT of Flink's REST API, or spark://HOST:PORT.  [default: one in the job "
    "server's own process]",
)
@click.option(
    "--workers",
    "--task-managers",
    type=click.IntRange(min=1, max=64),
    help="Start an engine of this machine with so many workers (Flink: TaskManagers), each a process.",
)
@click.option("--slots", type=click.IntRange(min=1, max=64), default=1, show_default=True, help="Slots of each worker.")
@click.option("--port", type=PORT, default=8099, show_default=True, help="Port of the job server.")
@click.option("--artifact-port", type=PORT, default=8098, show_default=True, help="Port for what jobs stage.")
@click.option("--rest-port", type=PORT, default=8081, show_default=True, help="Port of the started engine's page.")
@click.option("--rpc-port", type=PORT, default=6123, show_default=True, help="Port that its workers find it by.")
@click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the jars.  [default: a folder in ~/.cache/segpipe]",
)
@handle_errors
def beam_server(
    engine: str,
    master: str | None,
    workers: int | None,
    slots: int,
    port: int,
    artifact_port: int,
    rest_port: int,
    rpc_port: int,
    cache: Path | None,
) -> None:
    """Start Beam's job server for Flink or Spark, and if asked the engine on this machine; Ctrl-C ends them.

    Needs Java 11 or 17, and Maven to fetch the jars once.  The job server listens on all addresses of this machine, and
    runs the code of whoever reaches it: keep its ports closed to others.

    \b
    Example:
      segpipe beam-server --workers 2
      segpipe run pipeline/configs/sample.yaml --set beam.runner=flink
    """
    from pipeline.beam.server.engines import ENGINES
    from pipeline.beam.server.jars import provide_jars
    from pipeline.beam.server.java import find_java
    from pipeline.beam.server.job_server import start_job_server
    from pipeline.beam.server.processes import JavaProcesses, Ports

    if master and workers:
        raise UserError("--master names an engine that runs already, and --workers starts one: give one of them")
    chosen = ENGINES[engine]
    path = find_java()
    jars = provide_jars(chosen.jars, cache or chosen.jars.cache_folder(), click.echo)
    ports = Ports(port, artifact_port, rest_port, rpc_port)
    with (
        tempfile.TemporaryDirectory(prefix="segpipe-beam-", ignore_cleanup_errors=True) as folder,
        JavaProcesses(path, jars, Path(folder)) as java,
    ):
        if workers:
            master = chosen.start(java, ports, workers, slots)
            page = f"http://localhost:{rest_port}"
            click.echo(f"{chosen.title}: {workers} {chosen.worker}s with {slots} slots each, page {page}")
        address = start_job_server(java, ports, chosen, master or chosen.embedded)
        click.echo(f"job server: {address}; logs in {folder}; Ctrl-C ends it")
        _watch(java, chosen)


def _watch(java: JavaProcesses, engine: Engine) -> None:
    """Waits; reports each worker that ends, and ends itself with any other process."""
    while True:
        ended = java.first_ended()
        if ended is None:
            time.sleep(_POLL)
            continue
        status = java.processes.pop(ended).returncode
        if not ended.startswith(engine.worker):
            raise UserError(f"the {ended} ended with status {status}: {java.last_words(ended)}")
        click.echo(f"{ended} ended with status {status}; {engine.title} goes on with the others")
