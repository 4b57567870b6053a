"""Loaded versions and zero-downtime switching.

The registry is polled.  A newly served version is copied, verified by hash, loaded and warmed up beside the old one;
then the label moves, running requests finish on the old version, and it is closed.  A version with wrong hashes or
failing warm-up is refused: the label stays on the old one.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from grpc import StatusCode
from tensorflow_serving.apis.get_model_status_pb2 import ModelVersionStatus

from common.errors import UserError
from registry.errors import CorruptRecordError, CorruptVersionError
from registry.serving_record import STABLE
from registry.store import Registry
from segpipe_client.errors import shortened
from serving import logs
from serving.batching import Servable
from serving.errors import ServingError
from serving.metrics import Metrics
from serving.model import Model, warm_up
from serving.versions.refusals import Refusals

Labels = Mapping[str, int]
CLOSING_SECONDS = 1.0
"""Time for versions to become unused and to be closed when the server ends."""


class State(NamedTuple):
    """State of a version, in TensorFlow Serving's terms (core/servable_state.h)."""

    state: int
    code: int = 0
    message: str = ""


def served_labels(registry: Registry, pinned: int | None) -> dict[str, int]:
    """Returns label → version as in the registry; `pinned`, if given, replaces it.

    Raises:
        NoRegistryError: the registry does not exist, or no longer.
    """
    labels = registry.labels() if pinned is None else {}
    if not labels:
        registry.check_there()
    return labels if pinned is None else {STABLE: pinned}


class Versions:
    """Loaded versions of the one model.  Not thread-safe: used on the event loop only."""

    def __init__(self, registry: Registry, wanted: Callable[[], Labels], metrics: Metrics) -> None:
        """`wanted` returns the version that each label should have; it may block and raise `UserError`."""
        self._registry = registry
        self._wanted = wanted
        self._metrics = metrics
        self._loaded: dict[int, Servable] = {}
        self._labels: dict[str, int] = {}
        self._states: dict[int, State] = {}
        self._refusals = Refusals()
        self._changing = asyncio.Lock()
        self._unloading: set[asyncio.Task[None]] = set()
        self._trouble = ""
        self._was_empty = False
        self.name: str | None = None

    @property
    def ready(self) -> bool:
        """Whether the stable version is loaded."""
        return STABLE in self._labels

    @property
    def labels(self) -> dict[str, int]:
        """Label → version for requests."""
        return dict(self._labels)

    @property
    def loaded(self) -> list[int]:
        """Versions that answer requests."""
        return sorted(self._loaded)

    @property
    def registry_is_readable(self) -> bool:
        """Whether the last poll of the registry succeeded."""
        return not self._trouble and not (self._was_empty and self._loaded)

    @property
    def states(self) -> dict[int, State]:
        """States of all versions ever seen."""
        return dict(self._states)

    def find(self, name: str, version: int | None = None, label: str | None = None) -> Servable:
        """Returns the version that a request names, by default the stable one.

        Without version or label TensorFlow Serving would take the highest number, which may be a canary.

        Raises:
            ServingError: it is not loaded; messages as in core/basic_manager.cc and model_servers/server_core.cc.
        """
        if not name:
            raise ServingError(StatusCode.INVALID_ARGUMENT, "ModelSpec has no name specified.")
        if label is not None:
            if name != self.name or label not in self._labels:
                raise ServingError(
                    StatusCode.INVALID_ARGUMENT, f"Unrecognized servable version label: {shortened(label)}"
                )
            version = self._labels[label]
        wanted = self._labels.get(STABLE) if version is None else version
        if name != self.name or wanted is None or wanted not in self._loaded:
            name = shortened(name)
            asked = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            raise ServingError(StatusCode.NOT_FOUND, f"Servable not found for request: {asked}")
        return self._loaded[wanted]

    def servable(self, version: int) -> Servable | None:
        """Returns a version if it is loaded."""
        return self._loaded.get(version)

    def why_not_loaded(self, version: int) -> str:
        """Returns why a version does not answer, in a sentence without its end; empty if it is loaded."""
        if version in self._loaded:
            return ""
        state = self._states.get(version)
        return f"version {version} is not loaded" + (f": {state.message}" if state and state.message else " yet")

    async def watch(self, poll_seconds: float) -> None:
        """Polls the registry forever."""
        while True:
            try:
                await self.check()
            except Exception as error:  # noqa: BLE001  # Loaded versions stay, and polling continues.
                logs.failure("watch_bug", error)
            await asyncio.sleep(poll_seconds)

    async def check(self, at_once: bool = False) -> None:
        """Reconciles the labels with the registry, except for versions that are refused.

        `at_once` also retries versions that were refused recently.
        """
        async with self._changing:
            labels = await self._read_labels()
            if not labels:
                return
            if at_once:
                self._refusals.clear()
            for version in sorted(set(labels.values()) - self._loaded.keys()):
                await self._load(version)
            self._move_labels(labels)
            for version in self._loaded.keys() - set(self._labels.values()):
                self._unload(version)

    async def close(self) -> None:
        """Closes all unused versions; no task remains for those that are still in use, or slow to close."""
        for version in list(self._loaded):
            self._unload(version)
        unloading = tuple(self._unloading)
        if not unloading:
            return
        _, pending = await asyncio.wait(unloading, timeout=CLOSING_SECONDS)
        for task in pending:
            task.cancel()
        await asyncio.gather(*unloading, return_exceptions=True)

    async def _read_labels(self) -> Labels:
        try:
            labels = await asyncio.to_thread(self._wanted)
        except Exception as error:  # noqa: BLE001  # Object stores raise any exception; loaded versions stay.
            self._metrics.registry_failed()
            if str(error) != self._trouble:
                logs.warning("registry_unreadable", reason=error)
            self._trouble = str(error)
            return {}
        if self._trouble:
            logs.event("registry_readable")
        self._trouble = ""
        self._tell_if_empty(not labels)
        return labels

    def _tell_if_empty(self, is_empty: bool) -> None:
        if is_empty and not self._was_empty:
            when = "any more; the loaded ones go on" if self._loaded else "yet"
            logs.warning("nothing_to_serve", reason=f"the registry {self._registry.uri} serves no version {when}")
        self._was_empty = is_empty

    async def _load(self, version: int) -> None:
        if self._refusals.holds(version):
            return
        self._states[version] = State(ModelVersionStatus.LOADING)
        began = time.monotonic()
        try:
            name = await self._take_name(version)
            model = await asyncio.to_thread(self._fetch_and_load, version)
        except Exception as error:  # noqa: BLE001  # Any error refuses the version; the old one stays.
            self._refuse(version, _as_serving_error(error))
            return
        self._loaded[version] = Servable(name, version, model)
        self._states[version] = State(ModelVersionStatus.AVAILABLE)
        self._refusals.forgive(version)
        self._metrics.version_loaded("loaded")
        logs.event("version_loaded", model=name, version=version, seconds=time.monotonic() - began)

    async def _take_name(self, version: int) -> str:
        """Returns the model's name, which the first version sets, even if it is then refused."""
        name = (await asyncio.to_thread(self._registry.manifest, version)).model_name
        if self.name not in (None, name):
            raise ServingError(
                StatusCode.FAILED_PRECONDITION, f"it is of the model {name!r}, and this server serves {self.name!r}"
            )
        self.name = name
        return name

    def _fetch_and_load(self, version: int) -> Model:
        """Fetches and loads a version; blocks.  Files are verified before TensorFlow reads them."""
        with tempfile.TemporaryDirectory(prefix="segpipe-serve-") as scratch:
            folder = str(Path(scratch) / str(version))
            self._registry.fetch(version, folder)
            model = Model(folder)
            try:
                began = time.monotonic()
                warm_up(model, folder)
                self._metrics.warmed_up(self._registry.version_location(version), time.monotonic() - began)
            except Exception:
                model.close()
                raise
        return model

    def _refuse(self, version: int, error: ServingError) -> None:
        wait = self._refusals.refuse(version)
        self._states[version] = State(ModelVersionStatus.END, error.number, error.message)
        outcome = "refused" if error.code is StatusCode.DATA_LOSS else "failed"
        self._metrics.version_loaded(outcome)
        logs.warning(f"version_{outcome}", version=version, again_in_seconds=wait, reason=error.message)

    def _move_labels(self, labels: Labels) -> None:
        moved = {label: version for label, version in labels.items() if version in self._loaded}
        kept = {label: version for label, version in self._labels.items() if label in labels and label not in moved}
        if moved | kept != self._labels:
            self._labels = moved | kept
            self._metrics.labels_are(self._labels)
            logs.event("labels_moved", **self._labels)

    def _unload(self, version: int) -> None:
        servable = self._loaded.pop(version)
        self._states[version] = State(ModelVersionStatus.UNLOADING)
        task = asyncio.create_task(self._close_when_unused(servable))
        self._unloading.add(task)
        task.add_done_callback(self._unloading.discard)

    async def _close_when_unused(self, servable: Servable) -> None:
        await servable.unused()
        await asyncio.to_thread(servable.model.close)
        if servable.version not in self._loaded:
            self._states[servable.version] = State(ModelVersionStatus.END)
        logs.event("version_unloaded", version=servable.version)


def _as_serving_error(error: Exception) -> ServingError:
    if isinstance(error, ServingError):
        return error
    if isinstance(error, (CorruptVersionError, CorruptRecordError)):
        return ServingError(StatusCode.DATA_LOSS, str(error))
    if isinstance(error, (UserError, OSError)):
        return ServingError(StatusCode.FAILED_PRECONDITION, str(error))
    logs.failure("version_load_bug", error)
    return ServingError(StatusCode.INTERNAL, f"{type(error).__name__}: {error}")
