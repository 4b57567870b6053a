"""CLI command that shows runs and registries in the browser: `dashboard`."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.number_types import ANY_PORT
from pipeline.cli.options import handle_errors


@click.command()
@click.argument("workspaces", metavar="[WORKSPACE|CONFIG]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 means all.")
@click.option("--port", type=ANY_PORT, default=8600, show_default=True, help="Port; 0 means any free port.")
@click.option(
    "--allow-host", "names", multiple=True, metavar="NAME", help="Further host name of this server; may be repeated."
)
@handle_errors
def dashboard(workspaces: tuple[Path, ...], host: str, port: int, names: tuple[str, ...]) -> None:
    """Show runs, their steps, the registry and the quarantine in the browser; also while a run goes.

    Each argument is the workspace of runs, a folder of workspaces, or a configuration; by default the folder runs/.
    The address with the token allows rollbacks and canaries.  If other machines can reach the server, reading needs
    the token too.

    \b
    Example:
      segpipe dashboard runs/sample
    """
    from pipeline.dashboard.app import addresses
    from pipeline.dashboard.security import Access
    from pipeline.dashboard.server import serve_dashboard
    from pipeline.dashboard.sources import Sources
    from pipeline.dashboard.workspaces import Workspaces

    access = Access(host, frozenset(name.lower() for name in names))

    def started(at: int) -> None:
        plain, with_token = addresses(host, at, access.token)
        click.echo(f"dashboard {plain}")
        click.echo(f"with the token, to change what is served: {with_token}")
        if not access.is_local:
            click.echo("other machines can reach it, unencrypted: reading needs the token too", err=True)

    serve_dashboard(Sources(Workspaces(workspaces)), access, port, started)
