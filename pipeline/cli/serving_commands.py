"""CLI commands that deploy registry versions: `sync` and `rollout`."""

from __future__ import annotations

from pathlib import Path

import click

from common.errors import UserError
from pipeline.cli.canary_command import decide
from pipeline.cli.number_types import PORT, FiniteRange
from pipeline.cli.options import (
    CommandGroup,
    handle_errors,
    registry_option,
    registry_uri,
)

_SECONDS = FiniteRange(min=0.1)


@click.command()
@registry_option
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder to write MODEL/VERSION/ and models.config to.",
)
@click.option("--once", is_flag=True, help="Copy what is needed to start, then exit.")
@click.option(
    "--label",
    "labels",
    multiple=True,
    type=click.Choice(["stable", "canary"]),
    help="Label to keep; may be repeated. Without a canary, canary means stable.  [default: both]",
)
@click.option(
    "--version", type=click.IntRange(min=1), help="Keep this version instead of the ones that the registry serves."
)
@click.option(
    "--server", default="http://127.0.0.1:8501", show_default=True, metavar="URL", help="TensorFlow Serving's REST API."
)
@click.option(
    "--poll",
    type=_SECONDS,
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="Interval between two polls of the registry.",
)
@click.option(
    "--grace",
    type=FiniteRange(min=0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="Time until an unused version is deleted; longer than TensorFlow Serving's poll of models.config.",
)
@click.option("--metrics-port", type=PORT, help="Port for Prometheus.")
@handle_errors
def sync(
    registry: str | None,
    folder: Path,
    once: bool,
    labels: tuple[str, ...],
    version: int | None,
    server: str,
    poll: float,
    grace: float,
    metrics_port: int | None,
) -> None:
    """Copy and verify the registry's versions for a TensorFlow Serving that reads a folder.

    \b
    Example:
      segpipe sync --registry s3://team/nuclei --to /models
    """
    from serving.settings import SyncSettings
    from serving.versions.sync import run

    settings = SyncSettings(
        registry=registry_uri(registry),
        folder=str(folder),
        labels=tuple(dict.fromkeys(labels)) or ("stable", "canary"),
        version=version,
        server=server.rstrip("/"),
        poll_seconds=poll,
        grace_seconds=grace,
    )
    run(settings, once, metrics_port)


@click.group(cls=CommandGroup, invoke_without_command=True)
@registry_option
@click.option(
    "--canary",
    "percent",
    type=click.IntRange(1, 99),
    metavar="PERCENT",
    help="Start a canary for this percentage of the requests.",
)
@click.option("--version", type=click.IntRange(min=1), help="Version to use as canary.  [default: the newest]")
@click.pass_context
@handle_errors
def rollout(context: click.Context, registry: str | None, percent: int | None, version: int | None) -> None:
    """Start a canary beside the served version, then promote it or roll it back.

    Whatever splits the requests (a gateway, KServe, the apps) must be given the percentage too; see docs/serving.md.

    \b
    Example:
      segpipe rollout --canary 10
      segpipe rollout promote --compare build/sample-data/images --at-least 0.9
    """
    context.obj = registry
    if context.invoked_subcommand is not None:
        if percent is not None or version is not None:
            raise UserError(
                f"--canary and --version create a canary; `{context.invoked_subcommand}` takes the existing one"
            )
        return
    from pipeline.cli.rollout import describe, start_canary

    uri = registry_uri(registry)
    if percent is None and version is not None:
        raise UserError("--version needs --canary: the percentage of the requests that the version gets")
    click.echo(describe(uri) if percent is None else start_canary(uri, percent, version))


@rollout.command()
@registry_option
@click.option(
    "--compare",
    "images",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="IMAGES",
    help="Image, or folder of images, on whose masks both versions are compared first; may be repeated.",
)
@click.option(
    "--at-least",
    type=FiniteRange(0, 1),
    default=0.9,
    show_default=True,
    help="Minimum mean IoU between both versions' masks for the promotion.",
)
@click.option(
    "--url", metavar="URL", help="Server to call by its labels.  [default: load both versions in this process]"
)
@click.pass_context
@handle_errors
def promote(
    context: click.Context, registry: str | None, images: tuple[Path, ...], at_least: float, url: str | None
) -> None:
    """Promote the canary: serve it from now on.

    \b
    Example:
      segpipe rollout promote --compare build/sample-data/images --at-least 0.9
    """
    from pipeline.cli.rollout import promote_canary

    if url and not images:
        raise UserError("--url needs --compare: the images to compare the versions on")
    for line in promote_canary(registry_uri(registry or context.obj), images, at_least, url):
        click.echo(line)


@rollout.command("rollback")
@registry_option
@click.pass_context
@handle_errors
def take_back(context: click.Context, registry: str | None) -> None:
    """Abort the canary; without one, roll back to the version that was served before.

    \b
    Example:
      segpipe rollout rollback
    """
    from pipeline.cli.rollout import roll_back

    click.echo(roll_back(registry_uri(registry or context.obj)))


rollout.add_command(decide)

COMMANDS: tuple[click.Command, ...] = (sync, rollout)
