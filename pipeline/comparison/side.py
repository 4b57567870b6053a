"""The two sides of a comparison: finished runs in workspaces, or versions in a registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.plain_path import plain_uri
from components import component_keys as keys
from components.example_gen.quarantine import SUMMARY_FILE, IngestionSummary
from components.trainer.history import TrainingHistory
from pipeline.local.finished_run import newest_finished_run
from registry.store import Registry

SAVED_MODEL = "Format-Serving"
"""Folder of the SavedModel in a `Model` artifact, as in `tfx.utils.path_utils`, whose import takes seconds."""


@dataclass(frozen=True)
class RunResults:
    """What a finished run has left in its workspace."""

    examples: Path
    """Folder of the records, with a folder for each split."""
    histories: tuple[TrainingHistory, ...]
    """Of the training, or of that of each fold."""


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
    finished = newest_finished_run(workspace)
    inputs = finished.artifacts
    summary = IngestionSummary.model_validate_json((inputs[keys.QUARANTINE] / SUMMARY_FILE).read_text())
    return Side(
        label=str(workspace),
        config=finished.config,
        model=str(inputs[keys.MODEL] / SAVED_MODEL),
        fingerprint=summary.data_fingerprint,
        run=RunResults(
            examples=inputs[keys.EXAMPLES],
            histories=finished.histories(),
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
