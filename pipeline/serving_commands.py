"""The commands that bring versions of the registry to those who ask: `sync` and `rollout`."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.command_line import registry_option, registry_uri, says_errors_plainly

_SECONDS = click.FloatRange(min=0.1)


@click.command()
@registry_option
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder that gets MODEL/VERSION/ and models.config.",
)
@click.option("--once", is_flag=True, help="Bring what is needed to start, and end.")
@click.option(
    "--label",
    "labels",
    multiple=True,
    type=click.Choice(["stable", "canary"]),
    help="Label to hold; may be repeated. Without a canary, canary means stable.  [default: both]",
)
@click.option("--version", type=click.IntRange(min=1), help="Hold this version, whatever the registry serves.")
@click.option(
    "--server", default="http://127.0.0.1:8501", show_default=True, metavar="URL", help="TensorFlow Serving's REST API."
)
@click.option(
    "--poll",
    type=_SECONDS,
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="How often to look at the registry.",
)
@click.option(
    "--grace",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a version that is not wanted stays; longer than TensorFlow Serving's poll of models.config.",
)
@click.option("--metrics-port", type=click.IntRange(1, 65535), help="Port for Prometheus.")
@says_errors_plainly
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
    """Bring the registry's versions, checked, to a TensorFlow Serving that follows a folder.

    \b
    Example:
      segpipe sync --registry s3://team/nuclei --to /models
    """
    from serving.settings import SyncSettings
    from serving.sync import run

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


COMMANDS: tuple[click.Command, ...] = (sync,)
