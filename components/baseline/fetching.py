"""Copies the registry's served version into an artifact of the run."""

from __future__ import annotations

from pathlib import Path

from registry.manifest import Manifest
from registry.state import baseline_of
from registry.store import Registry

NO_BASELINE_FILE = "NO_BASELINE"
"""Marker file in the artifact, in place of a model, if nothing is served yet."""


def fetch_baseline(registry: str, registry_state: str, artifact_dir: str, model_dir: str) -> Manifest | None:
    """Copies the version that `registry_state` names, checked against its manifest, into `model_dir`.

    It is that version even if another one is served by now: the baseline is fixed when a run begins.

    Args:
        registry: The registry's path or URI.
        registry_state: Result of `registry.state.registry_state` before the run.
        artifact_dir: Local folder of the artifact; gets the file `NO_BASELINE` if nothing was served.
        model_dir: Folder in it that becomes the SavedModel.

    Returns:
        The version's manifest; `None` if nothing was served.

    Raises:
        UserError: the version is gone or damaged.
    """
    manifest = baseline_of(registry, registry_state)
    if manifest is None:
        marker = Path(artifact_dir) / NO_BASELINE_FILE
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
        return None
    return Registry(registry).fetch(manifest.version, model_dir)
