"""CLI command `beam-server`."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from common.errors import UserError
from common.interruption import interrupted_by_sigterm
from pipeline.cli.options import handle_errors

if TYPE_CHECKING:  # Imported when the command runs.
    from pipeline.beam.server.processes import BeamServer

_PORT = click.IntRange(1, 65535)
_POLL = 0.5


@click.command("beam-server")
@click.option(
    "--flink",
    metavar="HOST:PORT",
    help="REST address of a Flink 1.19 that runs already.  [default: one in the job server's own process]",
)
@click.option(
    "--task-managers",
    type=click.IntRange(min=1, max=64),
    help="Start a Flink of this machine: a JobManager and so many TaskManagers, each a process.",
)
@click.option(
    "--slots", type=click.IntRange(min=1, max=64), default=1, show_default=True, help="Slots of each TaskManager."
)
@click.option("--port", type=_PORT, default=8099, show_default=True, help="Port of the job server.")
@click.option("--artifact-port", type=_PORT, default=8098, show_default=True, help="Port for what jobs stage.")
@click.option("--rest-port", type=_PORT, default=8081, show_default=True, help="Port of the started Flink's page.")
@click.option("--rpc-port", type=_PORT, default=6123, show_default=True, help="Port of the started JobManager.")
@click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the jars.  [default: a folder in ~/.cache/segpipe]",
)
@handle_errors
def beam_server(
    flink: str | None,
    task_managers: int | None,
    slots: int,
    port: int,
    artifact_port: int,
    rest_port: int,
    rpc_port: int,
    cache: Path | None,
) -> None:
    """Start Beam's job server for Flink, and if asked a Flink of this machine; Ctrl-C ends them.

    Needs Java 11 or 17, and Maven to fetch the jars once.  The job server listens on all addresses of this machine, and
    runs the code of whoever reaches it: keep its ports closed to others.

    \b
    Example:
      segpipe beam-server --task-managers 2
      segpipe run pipeline/configs/sample.yaml --set beam.runner=flink
    """
    from pipeline.beam.server.jars import cache_folder, provide_jars
    from pipeline.beam.server.java import find_java
    from pipeline.beam.server.processes import BeamServer, Ports

    if flink and task_managers:
        raise UserError("--flink names a Flink that runs already, and --task-managers starts one: give one of them")
    java = find_java()
    jars = provide_jars(cache or cache_folder(), click.echo)
    ports = Ports(port, artifact_port, rest_port, rpc_port)
    with (
        interrupted_by_sigterm(),
        tempfile.TemporaryDirectory(prefix="segpipe-beam-", ignore_cleanup_errors=True) as folder,
        BeamServer(java, jars, Path(folder), ports) as server,
    ):
        if task_managers:
            flink = server.start_flink(task_managers, slots)
            click.echo(f"Flink: {task_managers} TaskManagers with {slots} slots each, page http://{flink}")
        address = server.start_job_server(flink or "[local]")
        click.echo(f"job server: {address}; logs in {folder}; Ctrl-C ends it")
        _watch(server)


def _watch(server: BeamServer) -> None:
    """Waits; reports each TaskManager that ends, and ends itself with any other process."""
    while True:
        ended = server.first_ended()
        if ended is None:
            time.sleep(_POLL)
            continue
        status = server.processes.pop(ended).returncode
        if not ended.startswith("TaskManager"):
            raise UserError(f"the {ended} ended with status {status}: {server.last_words(ended)}")
        click.echo(f"{ended} ended with status {status}; Flink goes on with the others")
