"""The two sides of a comparison: finished runs in workspaces, or versions in a registry."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import UserError
from common.plain_path import plain_path, plain_uri
from components import component_keys as keys
from components.example_gen.quarantine import SUMMARY_FILE, IngestionSummary
from components.trainer.history import HISTORY_FILE, TrainingHistory
from pipeline.dag.steps import REPORT
from registry.store import Registry

SAVED_MODEL = "Format-Serving"
"""Folder of the SavedModel in a `Model` artifact, as in `tfx.utils.path_utils`, whose import takes seconds."""


@dataclass(frozen=True)
class RunResults:
    """What a finished run has left in its workspace."""

    examples: Path
    """Folder of the records, with a folder for each split."""
    history: TrainingHistory


@dataclass(frozen=True)
class Side:
    """One side: a model with its configuration, and the run that made it, if it is at hand."""

    label: str
    config: Mapping[str, Any]
    model: str
    """Folder of the SavedModel."""
    fingerprint: str
    """Of the data."""
    run: RunResults | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return tuple(self.config["data"]["classes"])


def run_side(workspace: Path) -> Side:
    """Returns the newest finished run of a workspace.

    Raises:
        UserError: the folder is not a workspace, or holds no finished run.
    """
    database = workspace / "metadata.sqlite"
    if not database.is_file():
        raise UserError(f"{workspace} is not the workspace of a run (metadata.sqlite is missing); see `workspace`")
    inputs, config = _newest_report(workspace, database)
    summary = IngestionSummary.model_validate_json((inputs[keys.QUARANTINE] / SUMMARY_FILE).read_text())
    return Side(
        label=str(workspace),
        config=config,
        model=str(inputs[keys.MODEL] / SAVED_MODEL),
        fingerprint=summary.data_fingerprint,
        run=RunResults(
            examples=inputs[keys.EXAMPLES],
            history=TrainingHistory.model_validate_json((inputs[keys.MODEL_RUN] / HISTORY_FILE).read_text()),
        ),
    )


def version_side(registry: Registry, version: int) -> Side:
    """Returns a version of a registry.

    Raises:
        UserError: the version does not exist.
    """
    manifest = registry.manifest(version)
    model = plain_uri(registry.version_location(version))
    return Side(f"version {version}", manifest.config, model, manifest.data_fingerprint)


def _newest_report(workspace: Path, database: Path) -> tuple[dict[str, Path], dict[str, Any]]:
    """Returns the folders that the newest execution of the report step read, and the run's configuration.

    Artifacts lie at `<step>/<output>/<execution>` also after the workspace was moved.
    """
    from ml_metadata.metadata_store import MetadataStore
    from ml_metadata.proto import metadata_store_pb2

    connection = metadata_store_pb2.ConnectionConfig()
    connection.sqlite.filename_uri = str(database)
    connection.sqlite.connection_mode = metadata_store_pb2.SqliteMetadataSourceConfig.READONLY
    store = MetadataStore(connection)
    done = (metadata_store_pb2.Execution.COMPLETE, metadata_store_pb2.Execution.CACHED)
    reports = [
        execution
        for context in store.get_contexts_by_type("node")
        if context.name.endswith(f".{REPORT.component}")
        for execution in store.get_executions_by_context(context.id)
        if execution.last_known_state in done
    ]
    if not reports:
        raise UserError(f"{workspace} holds no finished run; run the pipeline first")
    newest = max(reports, key=lambda execution: execution.id)
    read = {
        event.artifact_id: event.path.steps[0].key
        for event in store.get_events_by_execution_ids([newest.id])
        if event.type == metadata_store_pb2.Event.INPUT
    }
    folders = {
        read[artifact.id]: plain_path(workspace).joinpath("artifacts", *Path(artifact.uri).parts[-3:])
        for artifact in store.get_artifacts_by_id(list(read))
    }
    return folders, json.loads(newest.custom_properties[keys.RUN_CONFIG].string_value)
