"""Copies and verifies versions for a TensorFlow Serving, which cannot read a registry, and writes `models.config`.

TensorFlow Serving polls `models.config` (`--model_config_file_poll_wait_seconds`).  It checks labels before it loads
anything (`ServerCore::ReloadConfig` in model_servers/server_core.cc) and refuses the whole file if a label would move
to a version that is not loaded yet.  So a change takes two steps: first the new version is added; when it is loaded,
the label moves and the old one is dropped.  No label is ever without its version.

A version whose files differ from its manifest is not written to the file.  After a crash at any instruction versions
and file are complete, because both are put in place by a rename.
"""

from __future__ import annotations

import re
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NoReturn

from common.errors import UserError
from registry.errors import CorruptRecordError, CorruptVersionError
from registry.local_storage import LocalStorage
from registry.serving_record import STABLE
from registry.store import Registry
from serving import logs
from serving.settings import SyncSettings
from serving.versions.model_config import ServingConfig, from_text, to_text
from serving.versions.refusals import Refusals
from serving.versions.sync_metrics import SyncMetrics

CONFIG = "models.config"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # It names a folder, and is a part of addresses.
_SOON_SECONDS = 1.0
_ASK_SECONDS = 5.0

StateOf = Callable[[str, int], str | None]


class Sync:
    """Reconciles a folder of versions, and TensorFlow Serving's `models.config`, with the registry."""

    def __init__(self, settings: SyncSettings, metrics: SyncMetrics, state_of: StateOf | None = None) -> None:
        """`state_of` returns the state of a model's version (`AVAILABLE`, …); `None` if the server does not respond."""
        self._settings = settings
        self._metrics = metrics
        self._state_of = state_of or asks(settings.server)
        self._registry = Registry(settings.registry)
        self._folder = Path(settings.folder).absolute()
        self._config = self._read()
        self._name = self._config.model if self._config else ""
        self._checked: set[int] = set()
        self._held_since = dict.fromkeys(self._config.versions if self._config else (), time.monotonic())
        self._left_at: dict[int, float] = {}
        self._held_before: set[int] = set()
        self._refusals = Refusals()
        self._trouble = ""
        self._trouble_with_registry = False
        metrics.labels_are(self._config.labels if self._config else {})

    @property
    def config(self) -> ServingConfig | None:
        """Content of `models.config`; `None` until it exists."""
        return self._config

    def once(self) -> None:
        """Copies what TensorFlow Serving needs to start; a filled folder is not changed.

        Raises:
            UserError: the registry cannot be read, serves no version, or its versions are damaged.
        """
        if self._config is None:
            self.look()
        if self._config is None:
            raise UserError(self._trouble)

    def look(self) -> bool:
        """Polls the registry, and takes one step; returns whether the next poll should be soon.

        An unreadable registry or a damaged version changes nothing.
        """
        wanted = self._wanted()
        if wanted is None:
            return False
        targets = {label: version for label in self._settings.labels if (version := self._choose(label, wanted))}
        if not targets:
            return False
        if self._config is None:
            self._write_first_config(wanted, targets)
            return True
        new = set(targets.values()) - self._config.versions
        if new:
            self._write_config(self._config.versions | new, self._config.labels)
        waiting = self._move(self._config, targets)
        self._remove_unwanted()
        return waiting

    def _wanted(self) -> Mapping[str, int] | None:
        """Returns label → version as in the registry; `None` if it cannot be read or serves no version."""
        try:
            pinned = self._settings.version
            labels = self._registry.labels() if pinned is None else {STABLE: pinned}
            if pinned is not None or STABLE not in labels:
                self._registry.check_there()
        except Exception as error:  # noqa: BLE001  # Object stores raise any exception; served versions stay.
            self._metrics.registry_failed()
            self._note("registry_unreadable", str(error))
            self._trouble_with_registry = True
            return None
        self._metrics.looked()
        if STABLE not in labels:
            self._note("nothing_served", f"the registry {self._registry.uri} serves no version yet")
            return None
        if self._trouble_with_registry:
            logs.event("registry_readable")
        self._trouble, self._trouble_with_registry = "", False
        return labels

    def _choose(self, label: str, wanted: Mapping[str, int]) -> int | None:
        """Returns the version for `label`: the wanted one, else the stable one, else the current one."""
        for version in (wanted.get(label), wanted[STABLE]):
            if version is not None and self._copy(version):
                return version
        return self._config.labels.get(label) if self._config else None

    def _copy(self, version: int) -> bool:
        """Copies the version into the folder if it is missing; returns whether it is there and verified."""
        if self._refusals.holds(version):
            return False
        if version in self._checked:
            return True
        try:
            name = self._registry.manifest(version).model_name
            self._check_name(name)
            self._registry.fetch(version, str(self._folder / name / str(version)))
        except Exception as error:  # noqa: BLE001  # Any error refuses the version; the old one stays.
            damaged = isinstance(error, (CorruptVersionError, CorruptRecordError))
            self._refuse(version, "refused" if damaged else "failed", str(error))
            return False
        self._name = name
        self._checked.add(version)
        logs.event("version_fetched", model=name, version=version)
        return True

    def _check_name(self, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise UserError(f"{name!r} is not a model name that TensorFlow Serving can serve")
        if name != (self._name or name):
            raise UserError(f"it is of the model {name!r}, but {self._name!r} is served here")

    def _move(self, config: ServingConfig, targets: Mapping[str, int]) -> bool:
        """Moves labels to loaded versions and drops unused versions; returns whether others are still loading."""
        labels = {label: version for label, version in config.labels.items() if label in targets}
        new = sorted(set(targets.values()) - set(labels.values()))
        loaded = {version: self._is_loaded(config.model, version) for version in new}
        labels.update({label: version for label, version in targets.items() if loaded.get(version, True)})
        awaited = [version for version in new if loaded[version] is None]
        self._write_config({*labels.values(), *awaited}, labels)
        return bool(awaited)

    def _is_loaded(self, model: str, version: int) -> bool | None:
        """Whether TensorFlow Serving has loaded the version; `None` as long as it may still do so."""
        state, held = self._state_of(model, version), time.monotonic() - self._held_since[version]
        # Until it has read the file, TensorFlow Serving reports the old state of a version that it had before.
        settled = held >= self._settings.settle_seconds
        if state == "AVAILABLE" and (settled or version not in self._held_before):
            self._metrics.version_loaded("loaded")
            self._refusals.forgive(version)
            return True
        if state == "END" and settled:
            self._refuse(version, "failed", "TensorFlow Serving could not load it; see its log")
            return False
        if held >= self._settings.load_seconds:
            self._refuse(version, "failed", f"it was not loaded in {self._settings.load_seconds:.0f} seconds")
            return False
        return None

    def _refuse(self, version: int, outcome: str, reason: str) -> None:
        wait = self._refusals.refuse(version)
        self._trouble = reason
        self._metrics.version_loaded(outcome)
        logs.warning(f"version_{outcome}", version=version, again_in_seconds=wait, reason=reason)

    def _write_first_config(self, wanted: Mapping[str, int], targets: Mapping[str, int]) -> None:
        """Starts all labels at the stable version, if it is usable: a canary must not keep a server from starting."""
        stable = wanted[STABLE]
        first = dict.fromkeys(targets, stable) if self._copy(stable) else targets
        self._write_config(first.values(), first)

    def _write_config(self, versions: Iterable[int], labels: Mapping[str, int]) -> None:
        config = ServingConfig(self._name, frozenset(versions), dict(labels))
        if config == self._config:
            return
        with LocalStorage(self._folder).writer("sync") as writer:
            writer.write(CONFIG, to_text(config, str(self._folder / config.model)).encode())
        before, self._config = self._config, config
        self._note_held(before.versions if before else frozenset(), config.versions)
        self._metrics.labels_are(config.labels)
        logs.event("told", model=config.model, versions=sorted(config.versions), **config.labels)

    def _note_held(self, before: frozenset[int], now: frozenset[int]) -> None:
        moment = time.monotonic()
        self._held_since.update(dict.fromkeys(now - before, moment))
        self._left_at.update(dict.fromkeys(before - now, moment))
        self._held_before |= before - now

    def _remove_unwanted(self) -> None:
        """Removes versions that are no longer in `models.config`, after TensorFlow Serving has certainly read it."""
        if self._config is None:
            return
        models = LocalStorage(self._folder / self._config.model)
        present = {int(name) for name in models.names("") if name.isdigit()}
        now = time.monotonic()
        for version in sorted(present - self._config.versions):
            if now - self._left_at.setdefault(version, now) >= self._settings.grace_seconds:
                with models.writer("fetch") as writer:
                    writer.remove_folder(str(version))
                self._checked.discard(version)
                logs.event("version_removed", version=version)
        for version in self._config.versions:
            self._left_at.pop(version, None)

    def _read(self) -> ServingConfig | None:
        """Reads the file of an earlier process, if all its versions still exist."""
        try:
            config = from_text((self._folder / CONFIG).read_text())
        except (FileNotFoundError, UnicodeDecodeError):
            return None
        if config is None or not config.labels or not _NAME.fullmatch(config.model):
            return None
        whole = all((self._folder / config.model / str(version)).is_dir() for version in config.versions)
        return config if whole else None

    def _note(self, event: str, trouble: str) -> None:
        if trouble != self._trouble:
            logs.warning(event, reason=trouble)
        self._trouble = trouble


def asks(server: str) -> StateOf:
    """Returns a function that requests states from TensorFlow Serving at `server`, over REST or gRPC, without a proxy.

    Raises:
        UserError: `server` is not the address of a server.
    """
    from segpipe_client.address import parse_address

    try:
        parse_address(f"{server}/v1/models/any")
    except ValueError:
        raise UserError(f"{server} is not the address of a server: one is http://HOST:8501") from None
    return lambda model, version: _state(f"{server}/v1/models/{model}/versions/{version}", version)


def _state(address: str, version: int) -> str | None:
    from segpipe_client import SegmentationClient, SegmentationError

    with SegmentationClient(address, timeout=_ASK_SECONDS, patience=0, use_proxies=False) as client:
        try:
            return next((one.state for one in client.model_states() if one.version == version), None)
        except SegmentationError:
            return None


def run(settings: SyncSettings, once: bool, metrics_port: int | None = None) -> None:
    """Copies the versions once, or follows the registry until SIGTERM or Ctrl-C.

    Raises:
        UserError: with `once`, there is no version to serve; or the port is not available.
    """
    logs.start_log()
    metrics = SyncMetrics()
    sync = Sync(settings, metrics)
    if once:
        sync.once()
        return
    if metrics_port is not None:
        _serve_metrics(metrics, metrics_port)
    # May end at any instruction: a killed process leaves complete files too.
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    while True:
        soon = _look(sync)
        time.sleep(min(_SOON_SECONDS, settings.poll_seconds) if soon else settings.poll_seconds)


def _look(sync: Sync) -> bool:
    try:
        return sync.look()
    except Exception as error:  # noqa: BLE001  # For example a full disk: served versions stay, and polling continues.
        logs.failure("sync_failed", error)
        return False


def _serve_metrics(metrics: SyncMetrics, port: int) -> None:
    try:
        metrics.serve(port)
    except OSError as error:
        raise UserError(f"cannot listen on port {port}: {error.strerror}; name another with --metrics-port") from None


def _end(number: int, frame: object) -> NoReturn:
    logs.event("stopped")
    sys.exit(0)
