"""The finished runs of a workspace: where their artifacts lie, and their configuration."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import UserError
from common.plain_path import plain_path
from components import component_keys as keys
from components.cross_validator.result import CROSS_VALIDATION_FILE, CrossValidation
from components.trainer.history import HISTORY_FILE, TrainingHistory
from pipeline.dag.steps import REPORT
from pipeline.local.metadata_file import METADATA, artifact_folder, open_metadata

if TYPE_CHECKING:  # Imported when a database is read.
    from ml_metadata.metadata_store import MetadataStore
    from ml_metadata.proto import metadata_store_pb2


@dataclass(frozen=True)
class FinishedRun:
    """A run whose last step, the report, has ended."""

    config: Mapping[str, Any]
    """The whole configuration."""
    artifacts: Mapping[str, Path]
    """Folders of the artifacts that the report read, by its input's key (`component_keys`)."""
    report: Path
    """Folder of the report."""

    def histories(self) -> tuple[TrainingHistory, ...]:
        """Returns the history of the training, or of that of each fold."""
        return training_histories(self.artifacts)


def training_histories(artifacts: Mapping[str, Path]) -> tuple[TrainingHistory, ...]:
    """Returns the history of a run's training, or of that of each fold, from the folders of its artifacts."""
    if keys.CROSS_VALIDATION in artifacts:
        text = (artifacts[keys.CROSS_VALIDATION] / CROSS_VALIDATION_FILE).read_text()
        return tuple(fold.history for fold in CrossValidation.model_validate_json(text).folds)
    return (TrainingHistory.model_validate_json((artifacts[keys.MODEL_RUN] / HISTORY_FILE).read_text()),)


def newest_finished_run(workspace: Path) -> FinishedRun:
    """Returns the newest finished run of a workspace.

    Raises:
        UserError: the folder is not a workspace, or holds no finished run.
    """
    newest = next(finished_runs(workspace), None)
    if newest is None:
        raise UserError(f"{workspace} holds no finished run; run the pipeline first")
    return newest


def finished_runs(workspace: Path) -> Iterator[FinishedRun]:
    """Yields the finished runs of a workspace, newest first.

    Raises:
        UserError: the folder is not a workspace.
    """
    if not (workspace / METADATA).is_file():
        raise UserError(
            f"{workspace} is not the workspace of a run, as it has no {METADATA}; name the folder of a run, by default "
            "runs/NAME"
        )
    from ml_metadata.proto import metadata_store_pb2

    store = _opened(workspace)
    done = (metadata_store_pb2.Execution.COMPLETE, metadata_store_pb2.Execution.CACHED)
    reports = [
        execution
        for context in store.get_contexts_by_type("node")
        if context.name.endswith(f".{REPORT.component}")
        for execution in store.get_executions_by_context(context.id)
        if execution.last_known_state in done
    ]
    for execution in sorted(reports, key=lambda execution: -execution.id):
        yield _finished(store, execution, plain_path(workspace))


def _opened(workspace: Path) -> MetadataStore:
    try:
        return open_metadata(workspace)
    except Exception as error:  # ML Metadata raises several kinds for a damaged or empty file.
        reason = next(iter(str(error).splitlines()), "").partition(" query:")[0]
        raise UserError(
            f"{workspace / METADATA} cannot be read as the database of runs ({reason}); restore it from a copy, or "
            "name another workspace"
        ) from error


def _finished(store: MetadataStore, report: metadata_store_pb2.Execution, top: Path) -> FinishedRun:
    """Returns a run by the execution of its report."""
    from ml_metadata.proto import metadata_store_pb2

    used = {
        event.artifact_id: (event.type, event.path.steps[0].key)
        for event in store.get_events_by_execution_ids([report.id])
    }
    folders = {
        used[artifact.id]: top / artifact_folder(artifact.uri) for artifact in store.get_artifacts_by_id(list(used))
    }
    inputs = {key: folder for (kind, key), folder in folders.items() if kind == metadata_store_pb2.Event.INPUT}
    (written,) = (folder for (kind, key), folder in folders.items() if key == keys.REPORT)
    return FinishedRun(json.loads(report.custom_properties[keys.RUN_CONFIG].string_value), inputs, written)
