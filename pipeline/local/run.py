"""Runs the pipeline on this machine with TFX's LocalDagRunner; artifacts and metadata are in the workspace."""

from __future__ import annotations

import datetime
import fcntl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from common.errors import UserError, user_error_in
from common.machine_faults import Kind, describe, machine_fault_in
from common.plain_path import plain_path
from common.run_context import RunContext, StepUsage, current_run, run_context
from components.exporter.formats import check_packages
from components.report.sinks.check import check_sinks
from pipeline.beam.arguments import BEAM_ARGUMENTS
from pipeline.beam.check import check_engine, check_options
from pipeline.beam.engine import beam_engine
from pipeline.cli.console import Step, StepWatcher
from pipeline.config.run_config import RunConfig
from pipeline.dag.run_date import on_date
from pipeline.dag.skip_policy import needs_training
from pipeline.dag.steps import display_name
from pipeline.local.disk_need import check_disk, measure_need
from pipeline.local.run_journal import JournalWriter, Origin, journal_of_run
from registry.store import Registry


class RunOutcome(NamedTuple):
    """Result of a successful run: its steps, and their outputs (step → output → folder)."""

    steps: list[Step]
    outputs: dict[str, dict[str, Path]]


def run_pipeline(
    config: RunConfig,
    console: Console,
    cache: bool = True,
    date: datetime.date | None = None,
    origin: Origin | None = None,
) -> RunOutcome | None:
    """Runs all steps that are not cached, on the data as of `date` (default: today).

    `origin` is recorded in the run's journal.

    Returns:
        `None` if nothing was run because `when_unchanged` is `skip`, nothing has changed, and `cache` is on.

    Raises:
        UserError: data or configuration are invalid, the data gate failed, or another run holds the workspace lock.
    """
    check_engine(config.beam)
    check_sinks(config.sinks)
    check_packages(config.export.converted, "export.formats")
    watcher = StepWatcher(console, display_name)
    with (
        _machine_faults_explained(config, watcher),
        _only_run_in(config.workspace_dir),
        journal_of_run(config.workspace_dir, config.name, origin or Origin()) as journal,
        _machine_faults_explained(config, watcher),  # Again: the journal records the explained error.
        watcher.watching(),
    ):
        config = on_date(config, date)
        if config.trainer.workers > 1:
            console.print(
                f"[dim]trainer.workers: {config.trainer.workers} applies to a cluster only; "
                "this machine trains in one process[/]"
            )
        if getattr(config.beam, "staging", None):
            console.print("[dim]beam.staging applies to a cluster only; here the engine sees this machine's files[/]")
        if cache and config.when_unchanged == "skip" and (version := _same_as_served(config)):
            sentence = f"data and configuration are those of the served version {version}: nothing to do"
            console.print(sentence, soft_wrap=True)
            journal.end("unchanged", sentence)
            return None
        command = origin.command if origin else ()
        with beam_engine(config.beam) as beam_arguments, run_context(RunContext(command)):
            outputs = _run(config, watcher, journal, cache, beam_arguments)
    return RunOutcome(watcher.steps, outputs)


def _same_as_served(config: RunConfig) -> int | None:
    """Returns the served version if it was made from the same data and configuration."""
    from components.example_gen.sources import data_fingerprint

    served = Registry(config.registry_uri).served_manifest()
    if served is None or needs_training(config, data_fingerprint(config.data.source), served):
        return None
    return served.version


def log_file(config: RunConfig) -> Path:
    """Returns a new log file in the workspace, named for the current time."""
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    return config.workspace_dir / "logs" / f"run-{stamp}.log"


@contextmanager
def _machine_faults_explained(config: RunConfig, watcher: StepWatcher) -> Iterator[None]:
    """Turns an error caused by a fault of the machine into a message that names disk, step and need."""
    try:
        yield
    except Exception as error:
        fault = None if user_error_in(error) else machine_fault_in(error)
        if fault is None:
            raise
        registry = [] if "://" in config.registry_uri else [Path(config.registry_uri)]
        step = display_name(watcher.node)
        need = _need_of_step(config, watcher.node) if fault.kind is Kind.DISK_FULL else None
        raise UserError(
            describe(fault, [config.workspace_dir, *registry], step and f"the step {step!r}", need)
        ) from error


def _need_of_step(config: RunConfig, node: str) -> int | None:
    """Estimates the bytes that a step needs; `None` if they are few, or cannot be estimated."""
    try:
        return measure_need(config).step(node)
    except Exception:  # noqa: BLE001  # The fault itself must be reported in any case.
        return None


@contextmanager
def _only_run_in(workspace: Path) -> Iterator[None]:
    """Locks the workspace against a second run; the lock is released when the process ends, however it does."""
    workspace.mkdir(parents=True, exist_ok=True)
    with (workspace / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(
                f"another run holds the lock of {workspace}; wait for it, or name another workspace with "
                "--set workspace=DIR"
            ) from None
        yield


@contextmanager
def _watched(
    node: str, watcher: StepWatcher, was_cached: Callable[[str], bool], journal: JournalWriter
) -> Iterator[None]:
    """Watches a step, and tells its time and memory to the journal and to the steps after it."""
    with watcher.step(node, was_cached):
        yield
    step = watcher.steps[-1]
    usage = StepUsage(
        component=node,
        name=display_name(node),
        seconds=step.seconds,
        cached=step.cached,
        megabytes=step.megabytes,
    )
    journal.used(usage)
    if run := current_run():
        run.steps.append(usage)


def _run(
    config: RunConfig, watcher: StepWatcher, journal: JournalWriter, cache: bool, beam_arguments: Sequence[str]
) -> dict[str, dict[str, Path]]:
    # Imported here because it takes seconds: errors in the configuration are reported before.
    from tfx.orchestration import metadata, pipeline

    from common.beam_inspection import remember_inspections
    from common.start_up import collect_as_usual
    from components.trainer.models import check_encoder
    from pipeline.beam.tfx_steps import running_with
    from pipeline.dag.pipeline import create_steps
    from pipeline.dag.run_state import capture_run_state
    from pipeline.dag.schema_file import provide_schema
    from pipeline.local.observed_runner import RunRecord, StepwiseRunner

    collect_as_usual()
    remember_inspections()
    check_options(config.beam)
    workspace = plain_path(config.workspace_dir)
    connection = metadata.sqlite_metadata_connection_config(str(workspace / "metadata.sqlite"))
    record = RunRecord(connection, config.name)
    check_encoder(config.trainer.model, config.transform)
    state = capture_run_state(config, resume_root=str(workspace / "resume"))
    check_disk(config, measure_need(config), watcher.console)
    provide_schema(config)
    steps = create_steps(config, state)
    record.move_to(workspace / "artifacts")
    dag = pipeline.Pipeline(
        pipeline_name=config.name,
        pipeline_root=str(workspace / "artifacts"),
        components=list(steps),
        enable_cache=cache,
        metadata_connection_config=connection,
        beam_pipeline_args=list(BEAM_ARGUMENTS),
    )
    journal.plan(dag.components)
    with running_with(beam_arguments):
        StepwiseRunner(lambda node: _watched(node, watcher, record.was_cached, journal), journal.began).run(dag)
    return {
        step.id: {
            key: config.workspace_dir / Path(uri).relative_to(workspace) for key, uri in record.outputs(step.id).items()
        }
        for step in steps
    }
