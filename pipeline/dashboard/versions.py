"""Versions of a workspace's registry, as the dashboard shows them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.errors import UserError
from pipeline.dashboard.runs import Run
from pipeline.dashboard.workspaces import Workspace
from registry.manifest import Manifest
from registry.serving_record import Canary, CanaryDecision, ServedSince
from registry.store import MANIFESTS, SERVED, Registry

_REMOTE_SECONDS = 15.0
"""How long what a bucket held is shown without asking it again."""


@dataclass(frozen=True)
class Version:
    """A version and what happened to it."""

    manifest: Manifest
    served: bool
    canary: Canary | None
    withdrawn: bool
    size: int | None
    """Bytes of its files; `None` of a registry in a bucket, or if a file is missing."""

    @property
    def number(self) -> int:
        """Its number."""
        return self.manifest.version


@dataclass(frozen=True)
class Contents:
    """A registry at one moment."""

    uri: str
    versions: tuple[Version, ...]
    """Newest first."""
    served: int | None
    canary: Canary | None
    before: int | None
    """The version that a rollback would serve."""
    history: tuple[ServedSince, ...]
    fault: str | None = None
    decisions: tuple[CanaryDecision, ...] = ()
    """The last automatic decisions about canaries, the latest last."""

    def find(self, number: int) -> Version | None:
        """Returns the version with this number."""
        return next((each for each in self.versions if each.number == number), None)


def registry_of(workspace: Workspace, runs: Sequence[Run]) -> str:
    """Returns the registry of a workspace: the configured one, that in its folder, or the one last pushed to."""
    if workspace.named_registry:
        return workspace.named_registry
    own = workspace.folder / "registry"
    if own.is_dir():
        return str(own)
    pushed = (run.results.push.registry for run in runs if run.results.push)
    return next((uri for uri in pushed if "://" in uri or Path(uri).is_dir()), str(own))


def makers(runs: Iterable[Run]) -> dict[int, Run]:
    """Returns version → the run that made it, of those among `runs`."""
    pushes = ((run.results.push, run) for run in runs)
    return {push.version: run for push, run in pushes if push and push.pushed and push.version is not None}


class RegistryReader:
    """Reads registries again when their files have changed; those in buckets after some seconds."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[object, Contents]] = {}
        self._lock = threading.Lock()

    def contents(self, uri: str) -> Contents:
        """Returns what a registry holds; if it cannot be read, with the fault and what could be read before."""
        stamp = _stamp(uri)
        with self._lock:
            kept = self._kept.get(uri)
        if kept and kept[0] == stamp:
            return kept[1]
        found = _read(uri)
        with self._lock:
            self._kept[uri] = (stamp, found)
        return found


def _stamp(uri: str) -> object:
    if "://" in uri:
        return int(time.monotonic() / _REMOTE_SECONDS)
    return tuple(_modified(Path(uri, name)) for name in (MANIFESTS, SERVED))


def _modified(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


def _read(uri: str) -> Contents:
    try:
        registry = Registry(uri)
        manifests, record = registry.versions(), registry.serving_record()
    except UserError as error:
        return Contents(uri, (), None, None, None, (), str(error))
    except Exception as error:  # noqa: BLE001  # Object stores raise any exception.
        return Contents(uri, (), None, None, None, (), f"{uri} cannot be read: {type(error).__name__}")
    numbers = [manifest.version for manifest in manifests]
    versions = tuple(
        Version(
            manifest=manifest,
            served=manifest.version == record.served,
            canary=record.canary if record.canary and record.canary.version == manifest.version else None,
            withdrawn=manifest.version in record.withdrawn,
            size=_size(registry, manifest),
        )
        for manifest in reversed(manifests)
    )
    before = record.before(numbers) if record.served is not None else None
    return Contents(uri, versions, record.served, record.canary, before, record.history, decisions=record.decisions)


def _size(registry: Registry, manifest: Manifest) -> int | None:
    location = registry.version_location(manifest.version)
    if "://" in location:
        return None
    try:
        return sum(Path(location, name).stat().st_size for name in manifest.files)
    except OSError:
        return None
