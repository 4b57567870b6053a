"""The two sides of a comparison: finished runs in workspaces, or versions in a registry."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.plain_path import plain_uri
from components import component_keys as keys
from components.evaluator.results import Estimate
from components.example_gen.quarantine import SUMMARY_FILE, IngestionSummary
from components.pusher.result import PUSHED_FILE, PushResult
from components.trainer.history import TrainingHistory
from pipeline.comparison.records_diff import has_records
from pipeline.local.finished_run import FinishedRun, finished_runs, newest_finished_run, training_histories
from pipeline.local.metadata_file import METADATA
from registry.manifest import Manifest
from registry.store import Registry

OVERALL = ""
"""Name of the whole split among the slices."""
_HASH = 12
"""Digits of a version's hash that are shown, as in the table of versions."""
TEST = "test"
"""The split that models are compared on."""

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
class VersionRecord:
    """What a registry holds of a version besides its model."""

    figures: Mapping[tuple[str, str], Estimate]
    """(metric, slice) → its value when the version was evaluated, with its interval; the whole split is `OVERALL`."""
    searched: tuple[Path, ...]
    """Workspaces in which its run was looked for."""


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
    """Of a version, those of the run that pushed it, if they are still on this machine."""
    version: VersionRecord | None = None
    """What the registry holds of a version; none of a run."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return tuple(self.config["data"]["classes"])

    @property
    def pipeline(self) -> str:
        """Name of the pipeline."""
        return str(self.config.get("name", ""))


def run_side(workspace: Path) -> Side:
    """Returns the newest finished run of a workspace.

    Raises:
        UserError: the folder is not a workspace, or holds no finished run.
    """
    finished = newest_finished_run(workspace)
    return finished_side(str(workspace), finished.config, finished.artifacts)


def finished_side(label: str, config: Mapping[str, Any], artifacts: Mapping[str, Path]) -> Side:
    """Returns a finished run by its configuration and the folders of what its report read."""
    summary = IngestionSummary.model_validate_json((artifacts[keys.QUARANTINE] / SUMMARY_FILE).read_text())
    return Side(
        label=label,
        config=config,
        model=str(artifacts[keys.MODEL] / SAVED_MODEL),
        fingerprint=summary.data_fingerprint,
        run=_results(artifacts),
    )


def _results(artifacts: Mapping[str, Path]) -> RunResults:
    return RunResults(examples=artifacts[keys.EXAMPLES], histories=training_histories(artifacts))


def version_side(registry: Registry, version: int) -> Side:
    """Returns a version of a registry.

    Raises:
        UserError: the version does not exist.
    """
    manifest = registry.manifest(version)
    model = plain_uri(registry.version_location(version))
    workspaces = _workspaces(registry, manifest)
    return Side(
        label=f"version {version} of {manifest.model_name} ({manifest.content_hash[:_HASH]})",
        config=manifest.config,
        model=model,
        fingerprint=manifest.data_fingerprint,
        run=_run_of(manifest, workspaces),
        version=VersionRecord(_recorded_figures(registry, manifest), workspaces),
    )


def _workspaces(registry: Registry, manifest: Manifest) -> tuple[Path, ...]:
    """Returns the folders that may be the workspace of the run that pushed a version."""
    named = [Path(manifest.config["workspace"])] if manifest.config.get("workspace") else []
    beside = [] if "://" in registry.uri else [Path(registry.uri).parent]
    return tuple(dict.fromkeys(folder.absolute() for folder in (*named, *beside)))


def _run_of(manifest: Manifest, workspaces: Iterable[Path]) -> RunResults | None:
    """Returns the results of the run that pushed a version; `None` if it, or its test records, are not there."""
    for workspace in workspaces:
        if not (workspace / METADATA).is_file():
            continue
        for finished in finished_runs(workspace):
            if _pushed(finished, manifest):
                return _results(finished.artifacts)
    return None


def _pushed(finished: FinishedRun, manifest: Manifest) -> bool:
    """Returns whether a run made a version, from the same data, and still has its test records."""
    artifacts = finished.artifacts
    files = (keys.PUSHED_MODEL, PUSHED_FILE), (keys.QUARANTINE, SUMMARY_FILE)
    if not all(key in artifacts and (artifacts[key] / file).is_file() for key, file in files):
        return False
    pushed = PushResult.model_validate_json((artifacts[keys.PUSHED_MODEL] / PUSHED_FILE).read_text())
    summary = IngestionSummary.model_validate_json((artifacts[keys.QUARANTINE] / SUMMARY_FILE).read_text())
    same = pushed.version == manifest.version and summary.data_fingerprint == manifest.data_fingerprint
    return same and finished.config.get("name") == manifest.model_name and has_records(artifacts[keys.EXAMPLES], TEST)


def _recorded_figures(registry: Registry, manifest: Manifest) -> dict[tuple[str, str], Estimate]:
    """Returns the figures of a version's card; of a version without a card, the manifest's, which have no interval."""
    text = registry.card(manifest.version, "json")
    if text is None:
        return {(name, OVERALL): Estimate(value=value) for name, value in manifest.metrics.items()}
    listed = json.loads(text).get("quantitative_analysis", {}).get("performance_metrics", ())
    return {(each["type"], _place(each["slice"])): _estimate(each) for each in listed}


def _place(slice_name: str) -> str:
    return OVERALL if slice_name == "overall" else slice_name


def _estimate(metric: Mapping[str, Any]) -> Estimate:
    """Reads a metric in the fields of the Model Card Toolkit, where figures are texts."""
    bounds = metric.get("confidence_interval", {})
    low, high = bounds.get("lower_bound"), bounds.get("upper_bound")
    return Estimate(
        value=float(metric["value"]),
        low=None if low is None else float(low),
        high=None if high is None else float(high),
    )
