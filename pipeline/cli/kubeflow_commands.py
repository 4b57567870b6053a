"""Commands of `segpipe` that use a cluster."""

from __future__ import annotations

import datetime
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from common.errors import UserError
from common.interruption import INTERRUPTED
from pipeline import __version__
from pipeline.cli.options import config_argument, handle_errors, set_option

if TYPE_CHECKING:
    from pipeline.config.run_config import RunConfig
    from pipeline.kubeflow.client.api import Client, Version
    from pipeline.kubeflow.client.compiled_pipeline import Compiled


def _cluster_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options for connecting to Kubeflow Pipelines."""
    host = click.option(
        "--host", envvar="KFP_ENDPOINT", metavar="URL", help="Address of Kubeflow Pipelines, or KFP_ENDPOINT."
    )
    certificate = click.option(
        "--ca",
        "certificate",
        envvar="KFP_CA_CERT",
        type=click.Path(path_type=Path),
        help="CA certificate that signed the host's, in PEM, or KFP_CA_CERT.",
    )
    return host(certificate(command))


@click.command()
@config_argument
@set_option
@click.option("--param", "parameters", multiple=True, metavar="NAME=VALUE", help="Set a parameter of the run.")
@click.option("--watch", is_flag=True, help="Show the steps until the run ends; exit status 1 if it fails.")
@_cluster_options
@handle_errors
def submit(
    config: Path,
    overrides: tuple[str, ...],
    parameters: tuple[str, ...],
    watch: bool,
    host: str | None,
    certificate: Path | None,
) -> None:
    """Run the pipeline that CONFIG describes on Kubeflow once, now.

    \b
    Example:
      segpipe submit pipeline/configs/sample.yaml --host http://localhost:8080 --watch
    """
    client, run_id, compiled = start_run(config, overrides, parameters, host, certificate)
    click.echo(f"run {client.run_address(run_id)}")
    if watch:
        _watch(client, run_id, compiled)


@click.command()
@config_argument
@set_option
@_cluster_options
@handle_errors
def schedule(config: Path, overrides: tuple[str, ...], host: str | None, certificate: Path | None) -> None:
    """Run the pipeline that CONFIG describes on Kubeflow at the times of kubeflow.schedule.cron.

    Each pipeline has one schedule: it is replaced if it has changed; otherwise nothing happens.

    \b
    Example:
      segpipe schedule pipeline/configs/sample.yaml --set 'kubeflow.schedule.cron=0 0 3 * * *'
    """
    from pipeline.kubeflow.client.api import Work
    from pipeline.kubeflow.client.recurring import Wanted, reconcile_schedule

    settings, client = _connect(config, overrides, host, certificate)
    if settings.kubeflow.schedule is None:
        raise UserError(
            f"{config} has no kubeflow.schedule; give it a cron: --set 'kubeflow.schedule.cron=0 0 3 * * *'"
        )
    compiled = _compile(settings)
    work = Work(
        client.ensure_experiment(_experiment(settings)),
        _ensure_version(client, settings, compiled, config),
        compiled.parameters([]),
        settings.kubeflow.pipeline_root,
        settings.kubeflow.service_account,
    )
    outcome = reconcile_schedule(client, Wanted(settings.name, settings.kubeflow.schedule.cron, work))
    done = ("is replaced" if outcome.replaced else "is new") if outcome.is_new else "has not changed"
    paused = "; it is paused: `segpipe resume` enables it" if outcome.paused else ""
    click.echo(f"the schedule of {settings.name} {done}: {settings.kubeflow.schedule.cron}{paused}")
    for run_id in outcome.left_running:
        click.echo(f"a run of the previous schedule continues: {client.run_address(run_id)}")


@click.command()
@config_argument
@set_option
@click.option("--last", type=click.IntRange(min=1), default=20, show_default=True, help="How many.")
@_cluster_options
@handle_errors
def runs(config: Path, overrides: tuple[str, ...], last: int, host: str | None, certificate: Path | None) -> None:
    """List the latest runs of the pipeline of CONFIG on Kubeflow.

    \b
    Example:
      segpipe runs pipeline/configs/sample.yaml --host http://localhost:8080
    """
    from pipeline.cli.console import make_console
    from pipeline.kubeflow.client.listing import held_lines, runs_table

    settings, client = _connect(config, overrides, host, certificate)
    pipeline_id = client.find_pipeline(settings.name)
    experiment_id = client.find_experiment(_experiment(settings))
    found = client.runs(experiment_id, pipeline_id, last) if pipeline_id and experiment_id else []
    if not found:
        click.echo(f"{settings.name} has no runs; `segpipe submit {config}` starts one")
        return
    make_console().print(runs_table(found, client.run_address), soft_wrap=True)
    for line in held_lines(client, found):
        click.echo(line)


@click.command()
@config_argument
@set_option
@_cluster_options
@handle_errors
def pause(config: Path, overrides: tuple[str, ...], host: str | None, certificate: Path | None) -> None:
    """Pause the schedule of CONFIG; a run in progress continues.

    \b
    Example:
      segpipe pause pipeline/configs/sample.yaml
    """
    from pipeline.kubeflow.client import recurring

    settings, client = _connect(config, overrides, host, certificate)
    changed = recurring.pause(client, settings.name, client.find_pipeline(settings.name))
    click.echo(f"the schedule of {settings.name} {'is' if changed else 'was already'} paused")


@click.command()
@config_argument
@set_option
@_cluster_options
@handle_errors
def resume(config: Path, overrides: tuple[str, ...], host: str | None, certificate: Path | None) -> None:
    """Resume the schedule of CONFIG; a run that was due meanwhile starts at once.

    \b
    Example:
      segpipe resume pipeline/configs/sample.yaml
    """
    from pipeline.kubeflow.client import recurring

    settings, client = _connect(config, overrides, host, certificate)
    changed = recurring.resume(client, settings.name, client.find_pipeline(settings.name))
    click.echo(f"the schedule of {settings.name} {'starts runs again' if changed else 'was not paused'}")


@click.command()
@click.argument("run")
@_cluster_options
@handle_errors
def terminate(run: str, host: str | None, certificate: Path | None) -> None:
    """Terminate RUN, a run's id or the address of its page.

    \b
    Example:
      segpipe terminate 3f2a9c64-5f0e-4a5c-9c37-1f0f0a2b8d11
    """
    from pipeline.kubeflow.client.api import ENDED, Client, state_of
    from pipeline.kubeflow.client.connection import Api, NotFoundError, find_connection

    client = Client(Api(find_connection(host, certificate)), namespace="")
    run_id = run.rstrip("/").rpartition("/")[2]
    try:
        run_found = client.run(run_id)
    except NotFoundError:
        raise UserError(f"unknown run {run_id}; `segpipe runs CONFIG` lists them") from None
    if run_found.state in ENDED:
        raise UserError(f"the run {run_id} has ended already: {state_of(run_found)}")
    client.terminate(run_id)
    click.echo(f"terminating the run: {client.run_address(run_id)}")


def start_run(
    config: Path,
    overrides: tuple[str, ...],
    parameters: tuple[str, ...],
    host: str | None,
    certificate: Path | None,
) -> tuple[Client, str, Compiled]:
    """Starts a run of the pipeline that a configuration describes; returns its id, and what it runs.

    Raises:
        UserError: the configuration is invalid, or the API refuses it or does not answer.
    """
    from pipeline.kubeflow.client.api import Work

    settings, client = _connect(config, overrides, host, certificate)
    compiled = _compile(settings)
    values = compiled.parameters(parameters)
    version = _ensure_version(client, settings, compiled, config)
    now = datetime.datetime.now().astimezone()
    run_id = client.start_run(
        f"{settings.name} {now:%Y-%m-%d %H:%M:%S}",
        Work(
            client.ensure_experiment(_experiment(settings)),
            version,
            values,
            settings.kubeflow.pipeline_root,
            settings.kubeflow.service_account,
        ),
    )
    return client, run_id, compiled


def newest_run(
    config: Path, overrides: tuple[str, ...], host: str | None, certificate: Path | None
) -> tuple[datetime.datetime, str] | None:
    """Returns when the newest run of a configuration's pipeline was created, and its state; `None` without a run.

    Raises:
        UserError: the API does not answer.
    """
    settings, client = _connect(config, overrides, host, certificate)
    pipeline_id = client.find_pipeline(settings.name)
    experiment_id = client.find_experiment(_experiment(settings))
    found = client.runs(experiment_id, pipeline_id, 1) if pipeline_id and experiment_id else []
    return (found[0].created_at, str(found[0].state)) if found else None


COMMANDS = (submit, schedule, runs, pause, resume, terminate)


def _connect(
    config: Path, overrides: tuple[str, ...], host: str | None, certificate: Path | None
) -> tuple[RunConfig, Client]:
    from pipeline.config.run_config import load_config
    from pipeline.kubeflow.client.api import Client
    from pipeline.kubeflow.client.connection import Api, find_connection

    settings = load_config(config, overrides)
    client = Client(Api(find_connection(host, certificate)), settings.kubeflow.namespace)
    client.check()
    return settings, client


def _experiment(settings: RunConfig) -> str:
    return settings.kubeflow.experiment or settings.name


def _compile(settings: RunConfig) -> Compiled:
    from pipeline.cli.console import quiet_streams
    from pipeline.kubeflow.client.compiled_pipeline import read_compiled
    from pipeline.kubeflow.compile.compiler import compile_pipeline

    # TensorFlow and TFX log a lot when they are imported.
    with tempfile.TemporaryDirectory() as folder, quiet_streams(Path(folder) / "log"):
        text = compile_pipeline(settings)
    return read_compiled(text)


def _ensure_version(client: Client, settings: RunConfig, compiled: Compiled, config: Path) -> Version:
    version = client.ensure_version(client.ensure_pipeline(settings.name), compiled, commit_of(config))
    click.echo(f"pipeline {settings.name}, version {version.name}{'' if version.is_new else ' (already there)'}")
    return version


def commit_of(config: Path) -> str:
    """Returns the commit of the file's repository, with `-dirty` if it has changes; segpipe's version without git."""
    command = [
        "git",
        "-C",
        str(config.absolute().parent),
        "describe",
        "--always",
        "--dirty",
        "--abbrev=12",
        "--exclude=*",
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:  # git is not installed.
        return f"v{__version__}"
    return done.stdout.strip() if done.returncode == 0 else f"v{__version__}"


def _watch(client: Client, run_id: str, compiled: Compiled) -> None:
    from pipeline.cli.console import make_console
    from pipeline.kubeflow.client import watching

    console = make_console()
    try:
        watched = watching.watch(client, run_id, compiled.steps, console)
    except KeyboardInterrupt:
        click.echo(
            f"stopped watching; the run continues: {client.run_address(run_id)} (`segpipe terminate {run_id}` ends it)",
            err=True,
        )
        sys.exit(INTERRUPTED)
    if watched.state != "SUCCEEDED":
        reason = watching.why_failed(client, watched, compiled.steps)
        raise UserError(f"{reason}; see {client.run_address(run_id)}")
    seconds = watching.run_seconds(watched.run, datetime.datetime.now(datetime.timezone.utc))
    console.print(f"[bold green]succeeded[/] in {watching.duration(seconds or 0.0)}")
