"""The registry's versions for a TensorFlow Serving, which cannot read a registry: copied, checked, told of in a file.

TensorFlow Serving follows `models.config` (`--model_config_file_poll_wait_seconds`).  It looks at labels before it
loads anything (`ServerCore::ReloadConfig` in model_servers/server_core.cc) and refuses the whole file if one would move
to a version that does not answer yet.  So a change is told in two steps: first hold the new version as well; when it
answers, move the label and drop the old one.  No label is ever without its version.

Nothing is told of a version whose files are not those of its manifest.  Whatever dies at whatever instruction leaves
whole versions and a whole file, for both come into their place by a rename.
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
from serving.versions.model_config import Told, from_text, to_text
from serving.versions.refusals import Refusals
from serving.versions.sync_metrics import SyncMetrics

CONFIG = "models.config"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # It becomes a folder, and a part of addresses.
_SOON_SECONDS = 1.0
_ASK_SECONDS = 5.0

StateOf = Callable[[str, int], str | None]


class Sync:
    """Keeps a folder, and the file that TensorFlow Serving follows, what the registry wants."""

    def __init__(self, settings: SyncSettings, metrics: SyncMetrics, state_of: StateOf | None = None) -> None:
        """`state_of` asks for the state of a model's version (`AVAILABLE`, …); `None` if nobody answers."""
        self._settings = settings
        self._metrics = metrics
        self._state_of = state_of or asks(settings.server)
        self._registry = Registry(settings.registry)
        self._folder = Path(settings.folder).absolute()
        self._told = self._read()
        self._name = self._told.model if self._told else ""
        self._checked: set[int] = set()
        self._held_since = dict.fromkeys(self._told.versions if self._told else (), time.monotonic())
        self._left_at: dict[int, float] = {}
        self._held_before: set[int] = set()
        self._refusals = Refusals()
        self._trouble = ""
        self._trouble_with_registry = False
        metrics.labels_are(self._told.labels if self._told else {})

    @property
    def told(self) -> Told | None:
        """What `models.config` says; `None` as long as there is none."""
        return self._told

    def once(self) -> None:
        """Brings what TensorFlow Serving needs to start; a folder that is filled already is left as it is.

        Raises:
            UserError: the registry cannot be read, serves nothing, or its versions are not what was pushed.
        """
        if self._told is None:
            self.look()
        if self._told is None:
            raise UserError(self._trouble)

    def look(self) -> bool:
        """Looks at the registry, and takes one step; returns whether the next look should be soon.

        What cannot be read or trusted changes nothing.
        """
        wanted = self._wanted()
        if wanted is None:
            return False
        targets = {label: version for label in self._settings.labels if (version := self._choose(label, wanted))}
        if not targets:
            return False
        if self._told is None:
            self._tell_first(wanted, targets)
            return True
        new = set(targets.values()) - self._told.versions
        if new:
            self._tell(self._told.versions | new, self._told.labels)
        waiting = self._move(self._told, targets)
        self._remove_unwanted()
        return waiting

    def _wanted(self) -> Mapping[str, int] | None:
        """Label → version, as the registry says; `None` if it does not."""
        try:
            pinned = self._settings.version
            labels = self._registry.labels() if pinned is None else {STABLE: pinned}
            if pinned is not None or STABLE not in labels:
                self._registry.check_there()
        except Exception as error:  # noqa: BLE001  # Object stores raise what they like; what is served goes on.
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
        """The version for `label`: the wanted one, else the stable one, else what it is now."""
        for version in (wanted.get(label), wanted[STABLE]):
            if version is not None and self._bring(version):
                return version
        return self._told.labels.get(label) if self._told else None

    def _bring(self, version: int) -> bool:
        """Whether the version lies in the folder as it was pushed; it is copied if it is not there yet."""
        if self._refusals.holds(version):
            return False
        if version in self._checked:
            return True
        try:
            name = self._registry.manifest(version).model_name
            self._check_name(name)
            self._registry.fetch(version, str(self._folder / name / str(version)))
        except Exception as error:  # noqa: BLE001  # Whatever is wrong with a version, the old one goes on.
            damaged = isinstance(error, (CorruptVersionError, CorruptRecordError))
            self._refuse(version, "refused" if damaged else "failed", str(error))
            return False
        self._name = name
        self._checked.add(version)
        logs.event("version_fetched", model=name, version=version)
        return True

    def _check_name(self, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise UserError(f"{name!r} is no name for a model that TensorFlow Serving could serve")
        if name != (self._name or name):
            raise UserError(f"it is of the model {name!r}, and {self._name!r} is served here")

    def _move(self, told: Told, targets: Mapping[str, int]) -> bool:
        """Moves the labels whose versions answer and drops what is not wanted; returns whether others are awaited."""
        labels = {label: version for label, version in told.labels.items() if label in targets}
        new = sorted(set(targets.values()) - set(labels.values()))
        loaded = {version: self._is_loaded(told.model, version) for version in new}
        labels.update({label: version for label, version in targets.items() if loaded.get(version, True)})
        awaited = [version for version in new if loaded[version] is None]
        self._tell({*labels.values(), *awaited}, labels)
        return bool(awaited)

    def _is_loaded(self, model: str, version: int) -> bool | None:
        """Whether TensorFlow Serving has loaded the version; `None` as long as it may still do so."""
        state, held = self._state_of(model, version), time.monotonic() - self._held_since[version]
        # Of a version that it held before, TensorFlow Serving tells what was until it has read the file.
        settled = held >= self._settings.settle_seconds
        if state == "AVAILABLE" and (settled or version not in self._held_before):
            self._metrics.version_loaded("loaded")
            self._refusals.forgive(version)
            return True
        if state == "END" and settled:
            self._refuse(version, "failed", "TensorFlow Serving could not load it; its log says why")
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

    def _tell_first(self, wanted: Mapping[str, int], targets: Mapping[str, int]) -> None:
        """All labels begin at the stable version, if it is to be had: a canary must keep no server from starting."""
        stable = wanted[STABLE]
        first = dict.fromkeys(targets, stable) if self._bring(stable) else targets
        self._tell(first.values(), first)

    def _tell(self, versions: Iterable[int], labels: Mapping[str, int]) -> None:
        told = Told(self._name, frozenset(versions), dict(labels))
        if told == self._told:
            return
        with LocalStorage(self._folder).writer("sync") as writer:
            writer.write(CONFIG, to_text(told, str(self._folder / told.model)).encode())
        before, self._told = self._told, told
        self._note_held(before.versions if before else frozenset(), told.versions)
        self._metrics.labels_are(told.labels)
        logs.event("told", model=told.model, versions=sorted(told.versions), **told.labels)

    def _note_held(self, before: frozenset[int], now: frozenset[int]) -> None:
        moment = time.monotonic()
        self._held_since.update(dict.fromkeys(now - before, moment))
        self._left_at.update(dict.fromkeys(before - now, moment))
        self._held_before |= before - now

    def _remove_unwanted(self) -> None:
        """Removes versions that TensorFlow Serving was told to drop, once it has certainly read so."""
        if self._told is None:
            return
        models = LocalStorage(self._folder / self._told.model)
        present = {int(name) for name in models.names("") if name.isdigit()}
        now = time.monotonic()
        for version in sorted(present - self._told.versions):
            if now - self._left_at.setdefault(version, now) >= self._settings.grace_seconds:
                with models.writer("fetch") as writer:
                    writer.remove_folder(str(version))
                self._checked.discard(version)
                logs.event("version_removed", version=version)
        for version in self._told.versions:
            self._left_at.pop(version, None)

    def _read(self) -> Told | None:
        """What an earlier process told, if all of it is still there."""
        try:
            told = from_text((self._folder / CONFIG).read_text())
        except (FileNotFoundError, UnicodeDecodeError):
            return None
        if told is None or not told.labels or not _NAME.fullmatch(told.model):
            return None
        whole = all((self._folder / told.model / str(version)).is_dir() for version in told.versions)
        return told if whole else None

    def _note(self, event: str, trouble: str) -> None:
        if trouble != self._trouble:
            logs.warning(event, reason=trouble)
        self._trouble = trouble


def asks(server: str) -> StateOf:
    """Asks TensorFlow Serving at `server` for states, over REST or gRPC, without a proxy.

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
    """Brings the versions once, or follows the registry until SIGTERM or Ctrl-C.

    Raises:
        UserError: with `once`, there is nothing that could be served; or the port cannot be had.
    """
    logs.start_log()
    metrics = SyncMetrics()
    sync = Sync(settings, metrics)
    if once:
        sync.once()
        return
    if metrics_port is not None:
        _serve_metrics(metrics, metrics_port)
    # At any instruction: a process that is killed leaves nothing half done either.
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    while True:
        soon = _look(sync)
        time.sleep(min(_SOON_SECONDS, settings.poll_seconds) if soon else settings.poll_seconds)


def _look(sync: Sync) -> bool:
    try:
        return sync.look()
    except Exception as error:  # noqa: BLE001  # A full disk, say: what is served goes on, and so does the watch.
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
