"""The pipeline on this machine: TFX's LocalDagRunner, with artifacts and metadata in the workspace."""

from __future__ import annotations

import datetime
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from components.errors import UserError
from pipeline.config import RunConfig
from pipeline.console import Step, StepWatcher, quiet_streams

LABELS = {
    "ImageMaskExampleGen": "Ingest pairs",
    "SchemaImporter": "Import schema",
    "StatisticsGen": "Compute statistics",
    "ExampleValidator": "Validate examples",
    "DataGate": "Data gate",
    "Transform": "Transform",
    "Trainer": "Train",
    "Baseline": "Fetch baseline",
    "SegmentationEvaluator": "Evaluate",
    "RegistryPusher": "Push",
    "RunReport": "Write report",
}
"""What a person calls the steps."""

BEAM_ARGUMENTS = ("--runner=FnApiRunner", "--sdk_container_image=unused")
"""One process on this machine.

Beam's default runner would first try to download Prism; and any argument without a container image makes TFX build a
source distribution for each Beam step.
"""


class RunOutcome(NamedTuple):
    """A run that ended well: its steps, and where each left its outputs (step → output → folder)."""

    steps: list[Step]
    outputs: dict[str, dict[str, Path]]


def run_pipeline(config: RunConfig, console: Console, cache: bool = True) -> RunOutcome:
    """Runs all steps that are not cached.

    Raises:
        UserError: the data, the configuration or the gate says no, or another run is at work in the same workspace.
    """
    workspace = config.workspace_dir
    workspace.mkdir(parents=True, exist_ok=True)
    watcher = StepWatcher(console, LABELS)
    with _only_run_in(workspace), watcher.watching():
        _run(config, workspace, cache)
    return RunOutcome(watcher.steps, _latest_outputs(config, workspace))


def log_file(config: RunConfig) -> Path:
    """A new log file of the workspace, named for the time."""
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    return config.workspace_dir / "logs" / f"run-{stamp}.log"


@contextmanager
def _only_run_in(workspace: Path) -> Iterator[None]:
    """Keeps two runs from writing into one workspace; the lock falls with the process, however it ends."""
    with (workspace / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(
                f"another run is at work in {workspace}; wait for it, or give this one its own with --set workspace=DIR"
            ) from None
        yield


def _run(config: RunConfig, workspace: Path, cache: bool) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    # The libraries take seconds to import; what a person got wrong has been said by now.
    from tfx.orchestration import metadata, pipeline
    from tfx.orchestration.local.local_dag_runner import LocalDagRunner

    from components.example_gen.fingerprint import data_fingerprint
    from pipeline.dag import Found, create_steps
    from registry.state import registry_state
    from registry.store import Registry

    fingerprint = data_fingerprint(config.data)
    statistics = Registry(config.registry_uri).latest_statistics(other_than=fingerprint)
    found = Found(
        data_fingerprint=fingerprint,
        drift_baseline=statistics[0] if statistics else "",
        registry_state=registry_state(config.registry_uri),
        resume_root=str(workspace / "resume"),
    )
    LocalDagRunner().run(
        pipeline.Pipeline(
            pipeline_name=config.name,
            pipeline_root=str(workspace / "artifacts"),
            components=list(create_steps(config, found)),
            enable_cache=cache,
            metadata_connection_config=metadata.sqlite_metadata_connection_config(_metadata_file(workspace)),
            beam_pipeline_args=list(BEAM_ARGUMENTS),
        )
    )


def _metadata_file(workspace: Path) -> str:
    return str(workspace / "metadata.sqlite")


def _latest_outputs(config: RunConfig, workspace: Path) -> dict[str, dict[str, Path]]:
    """Where each step's newest execution left its outputs."""
    from tfx.orchestration import metadata

    with metadata.Metadata(metadata.sqlite_metadata_connection_config(_metadata_file(workspace))) as handle:
        return {step: _outputs_of(handle.store, f"{config.name}.{step}") for step in LABELS}


def _outputs_of(store, node: str) -> dict[str, Path]:  # type: ignore[no-untyped-def]
    from ml_metadata.proto import metadata_store_pb2

    context = store.get_context_by_type_and_name("node", node)
    newest = max(store.get_executions_by_context(context.id), key=lambda execution: execution.id)
    written = [
        event
        for event in store.get_events_by_execution_ids([newest.id])
        if event.type == metadata_store_pb2.Event.OUTPUT
    ]
    uris = {artifact.id: artifact.uri for artifact in store.get_artifacts_by_id([e.artifact_id for e in written])}
    return {event.path.steps[0].key: Path(uris[event.artifact_id]) for event in written}
