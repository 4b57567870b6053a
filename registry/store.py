"""Versions of a model: push, serve, roll back, verify and fetch."""

from __future__ import annotations

import datetime
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from common.plurals import counted
from registry import cards, references, retraining, statistics
from registry.canary_policy import CanaryPolicy
from registry.errors import (
    CorruptRecordError,
    CorruptVersionError,
    NoRegistryError,
    RegistryError,
    UnknownVersionError,
)
from registry.hashing import (
    ContentMismatchError,
    UnsafePathError,
    check_folder,
    check_names,
    content_hash,
    copy_checked,
    hash_folder,
)
from registry.local_storage import LocalStorage
from registry.manifest import Manifest
from registry.serving_record import Canary, CanaryDecision, ServingRecord
from registry.storage import Writer, open_storage

VERSIONS = "versions"
MANIFESTS = "manifests"
SERVED = "served.json"
MODEL_FILE = "saved_model.pb"
_MANIFEST_NAME = re.compile(r"([1-9][0-9]*)\.json")
_VERSION_NAME = re.compile(r"[1-9][0-9]*")


class Registry:
    """The registry of one model, in a folder or a bucket.

        <registry>/versions/<n>/          a SavedModel; `versions` is what TF Serving calls a base path
        <registry>/manifests/<n>.json     its `Manifest`; while it is missing, the version does not exist
        <registry>/served.json            which version is served, see `registry.serving_record`
        <registry>/statistics/            see `registry.statistics`
        <registry>/cards/                 see `registry.cards`
        <registry>/references/            see `registry.references`
        <registry>/retraining/            see `registry.retraining`

    A change is staged in hidden files, then made by one atomic step, and the manifest is written after the files; so
    after a crash at any instruction the old version stays served and no partial version is visible.  The next push
    removes what a crash left.  A version number, once visible in `versions`, never means another model.

    In a folder, pushes exclude each other by a lock that is released when its process dies (on network file systems: if
    they support locks); two concurrent pushes make two versions.  In a bucket the same holds because numbers are
    claimed, see `registry.object_storage`, which also states the limitations.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._storage = open_storage(uri)

    def check_there(self) -> None:
        """Checks that the folder or bucket exists, and is empty or a registry.

        Raises:
            NoRegistryError: the folder or bucket does not exist, or holds something else.
        """
        if absence := self._storage.absence():
            raise NoRegistryError(f"no registry at {self.uri}: {absence}; check its address")
        names = [name for name in self._storage.names("") if not name.startswith(".")]
        if not names or {VERSIONS, MANIFESTS, SERVED, statistics.STATISTICS} & set(names):
            return
        within = f"; did you mean {self.uri.rstrip('/')}/registry?" if "registry" in names else "; check its address"
        held = ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
        raise NoRegistryError(
            f"{self.uri} is not a registry: it holds {held}, and neither {VERSIONS} nor {MANIFESTS}{within}"
        )

    def versions(self) -> list[Manifest]:
        """Returns the manifests of all versions, oldest first; none if the registry does not exist yet.

        Raises:
            CorruptRecordError: a manifest cannot be read.
        """
        return [self._read_manifest(number) for number in self._numbers()]

    def manifest(self, version: int) -> Manifest:
        """Returns the manifest of `version`.

        Raises:
            NoRegistryError: the registry has no versions.
            UnknownVersionError: the version does not exist; the text names those that do.
            CorruptRecordError: the manifest cannot be read.
        """
        self._check_exists(version)
        return self._read_manifest(version)

    def served(self) -> int | None:
        """Returns the served version; `None` before the first."""
        return self._read_record().served

    def served_manifest(self) -> Manifest | None:
        """Returns the manifest of the served version; `None` before the first."""
        served = self.served()
        return None if served is None else self.manifest(served)

    def withdrawn(self) -> tuple[int, ...]:
        """Returns the versions that were rolled back or aborted, and not requested since."""
        return self._read_record().withdrawn

    def serving_record(self) -> ServingRecord:
        """Returns the serving record."""
        return self._read_record()

    def canary(self) -> Canary | None:
        """Returns the canary, if there is one."""
        return self._read_record().canary

    def labels(self) -> dict[str, int]:
        """Returns label → version for `stable` and `canary`, read at once; empty before the first version is served."""
        return self._read_record().labels()

    def ever_served(self) -> tuple[int, ...]:
        """Returns the versions that are or were served, in order of their numbers."""
        return tuple(sorted({change.version for change in self._read_record().history}))

    def check_holds(self, model_name: str) -> None:
        """Checks that the registry, if it exists, is that of the model `model_name`.

        Raises:
            RegistryError: it holds another model.
        """
        versions = self.versions()
        if versions and versions[-1].model_name != model_name:
            raise RegistryError(
                f"the registry {self.uri} holds the model {versions[-1].model_name!r}, not {model_name!r}: "
                "give each model a registry of its own"
            )

    def push(
        self,
        model_dir: str,
        *,
        model_name: str,
        data_fingerprint: str,
        baseline_version: int | None,
        metrics: Mapping[str, float],
        config: Mapping[str, Any],
        software: Mapping[str, str],
    ) -> tuple[Manifest, bool]:
        """Adds the SavedModel in `model_dir` as the next version; the served version does not change.

        The same content is never stored twice: if a version has it already, that version is returned.

        Args:
            model_dir: The SavedModel: a local path, or a URI that fsspec supports.
            model_name: Name of the model; a registry holds one model only.
            data_fingerprint: Fingerprint of the data that it was trained on.
            baseline_version: The version that it was compared with.
            metrics: Overall metrics on the judging split.
            config: The run's configuration.
            software: Versions of the software that trained it.

        Returns:
            The manifest, and whether a version was created.

        Raises:
            RegistryError: `model_dir` has no SavedModel, the registry is that of another model, the version with the
                same content is damaged, or the registry cannot be written.
        """
        model = open_storage(model_dir)
        files = hash_folder(model)
        if MODEL_FILE not in files:
            raise RegistryError(f"no SavedModel in {model_dir}: {MODEL_FILE} is missing")
        with self._storage.writer("push") as writer:
            self.check_holds(model_name)
            if existing := self._with_content(content_hash(files)):
                self.verify(existing.version)
                return existing, False
            manifest = Manifest(
                version=self._add_files(writer, model_dir, files),
                model_name=model_name,
                created=_now(),
                content_hash=content_hash(files),
                files=files,
                data_fingerprint=data_fingerprint,
                baseline_version=baseline_version,
                metrics=dict(metrics),
                config=dict(config),
                software=dict(software),
            )
            writer.write(_manifest_path(manifest.version), manifest.model_dump_json(indent=2).encode())
            self._remove_orphans(writer)
        return manifest, True

    def serve(self, version: int) -> None:
        """Makes `version` the served one.

        Raises:
            UnknownVersionError: it does not exist.
        """
        with self._storage.writer("served") as writer:
            self._check_exists(version)
            self._write_record(writer, self._read_record().serve(version, _now()))

    def serve_in_place_of(self, expected: int | None, version: int) -> bool:
        """Makes `version` the served one, if `expected` is still served.

        Returns:
            False, without a change, if another one is served now.
        """
        with self._storage.writer("served") as writer:
            self._check_exists(version)
            record = self._read_record()
            if record.served != expected:
                return False
            self._write_record(writer, record.serve(version, _now()))
        return True

    def rollback(self, version: int | None = None) -> int:
        """Rolls back to `version`, or by default to the version that was served before the current one.

        The version that was served is withdrawn: pushing the same content again does not serve it, only `serve` or a
        rollback to it does.  Two rollbacks go back two versions.

        Returns:
            The version that is served now.

        Raises:
            RegistryError: no version was served before, the version does not exist, or its files are damaged.
        """
        self._rollback_target(version)  # Checked before the writer creates a folder.
        with self._storage.writer("served") as writer:
            record = self._read_record()
            target = self._rollback_target(version)
            self.verify(target)
            self._write_record(writer, record.roll_back(target, _now()))
        return target

    def start_canary(self, version: int, percent: int, policy: CanaryPolicy | None = None) -> None:
        """Makes `version` the canary: it should get `percent` of the requests, beside the served version.

        With a `policy` it is decided automatically, else by a person.

        Raises:
            RegistryError: no version is served, `version` is served already, unknown, or damaged.
        """
        self._check_canary(version)  # Checked before the writer creates a folder.
        with self._storage.writer("served") as writer:
            self._check_canary(version)
            self.verify(version)
            self._write_record(writer, self._read_record().start_canary(version, percent, _now(), policy))

    def start_canary_beside(self, expected: int, version: int, policy: CanaryPolicy) -> bool:
        """Makes `version` the canary that is decided automatically, if `expected` is still served.

        A canary that a person has started is not replaced, a withdrawn version does not become one, and if the version
        is the canary already nothing changes.

        Returns:
            Whether it is the canary now.
        """
        with self._storage.writer("served") as writer:
            self._check_exists(version)
            record = self._read_record()
            if record.canary is not None and record.canary.version == version:
                return True
            is_of_person = record.canary is not None and record.canary.policy is None
            if record.served != expected or is_of_person or version in record.withdrawn:
                return False
            self._write_record(writer, record.start_canary(version, policy.percent, _now(), policy))
        return True

    def decide_canary(self, decision: CanaryDecision) -> bool:
        """Promotes or rolls back the canary, and records why, by one atomic write.

        Returns:
            False, without a change, if the canary or the served version is no longer that of the decision.

        Raises:
            CorruptVersionError: the version to promote is damaged.
        """
        with self._storage.writer("served") as writer:
            record = self._read_record()
            canary = record.canary
            is_same = canary is not None and (canary.version, canary.since) == (decision.version, decision.began)
            if not is_same or record.served != decision.stable:
                return False
            if decision.outcome == "promoted":
                self.verify(decision.version)
            self._write_record(writer, record.decide(decision))
        return True

    def record_notified(self, decision: CanaryDecision) -> None:
        """Records that the webhook was told of `decision`."""
        with self._storage.writer("served") as writer:
            self._write_record(writer, self._read_record().notified(decision))

    def promote(self, expected: int | None = None) -> int:
        """Promotes the canary to the served version; returns its number.

        Raises:
            RegistryError: no canary exists, it is not the version `expected`, or its files are damaged.
        """
        self._canary_version(expected)
        with self._storage.writer("served") as writer:
            version = self._canary_version(expected)
            self.verify(version)
            self._write_record(writer, self._read_record().serve(version, _now()))
        return version

    def abort_canary(self) -> int:
        """Aborts the canary: it is withdrawn, as after a rollback; returns its version.

        Raises:
            RegistryError: no canary exists.
        """
        self._canary_version()
        with self._storage.writer("served") as writer:
            version = self._canary_version()
            self._write_record(writer, self._read_record().abort_canary())
        return version

    def verify(self, version: int) -> Manifest:
        """Reads all files of `version` and compares them with the hashes in its manifest.

        Raises:
            CorruptVersionError: a file is changed, missing or not in the manifest; the text names it.
        """
        manifest = self.manifest(version)
        try:
            check_folder(open_storage(self.version_location(version)), manifest.files)
        except ContentMismatchError as error:
            raise self._corrupt(version, error) from error
        return manifest

    def fetch(self, version: int, target_dir: str) -> Manifest:
        """Copies `version` atomically into the new local folder `target_dir`, verifying its hashes.

        A folder that holds the version already is not changed.

        Raises:
            CorruptVersionError: the version's files are not those of its manifest.
            RegistryError: `target_dir` holds other files, or cannot be written.
        """
        if "://" in target_dir:
            raise ValueError(f"{target_dir} is not a local folder")
        manifest = self.manifest(version)
        source = open_storage(self.version_location(version))
        target = Path(target_dir).absolute()
        try:
            check_names(source, manifest.files)
            with LocalStorage(target.parent).writer("fetch") as writer:
                present = hash_folder(LocalStorage(target))
                if present and present != manifest.files:
                    raise RegistryError(f"{target} holds other files than version {version}: remove it")
                if not present:
                    writer.add_folder(target.name, source, manifest.files)
        except ContentMismatchError as error:
            raise self._corrupt(version, error) from error
        return manifest

    def read_file(self, manifest: Manifest, path: str) -> bytes:
        """Returns the content of one file of a version, verified.

        Raises:
            CorruptVersionError: it does not have the hash in the manifest.
        """
        content = io.BytesIO()
        source = open_storage(self.version_location(manifest.version))
        try:
            copy_checked(source, path, manifest.files[path], content)
        except FileNotFoundError as error:
            raise self._corrupt(manifest.version, ContentMismatchError(path)) from error
        except ContentMismatchError as error:
            raise self._corrupt(manifest.version, error) from error
        return content.getvalue()

    def version_location(self, version: int) -> str:
        """Returns the folder with the SavedModel of `version`."""
        return self._storage.location(_version_folder(version))

    def latest_statistics(self, other_than: str) -> statistics.RecordedStatistics | None:
        """Returns the statistics recorded last, except those of the data with the fingerprint `other_than`."""
        return statistics.latest_statistics(self._storage, other_than)

    def record_statistics(self, fingerprint: str, path: str) -> None:
        """Records the statistics (a file or folder) of data that passed the data gate; repeating it changes nothing."""
        statistics.record_statistics(self._storage, fingerprint, path)

    def write_card(self, version: int, forms: Mapping[cards.CardForm, str]) -> None:
        """Writes the model card of `version`, in place of an older one.

        Raises:
            UnknownVersionError: the version does not exist.
        """
        self._check_exists(version)
        cards.write_card(self._storage, version, forms)

    def card(self, version: int, form: cards.CardForm) -> str | None:
        """Returns the model card of `version`; `None` if it was pushed without one.

        Raises:
            UnknownVersionError: the version does not exist.
        """
        self._check_exists(version)
        return cards.read_card(self._storage, version, form)

    def write_reference(self, version: int, text: str) -> None:
        """Writes the reference distribution of `version`, in place of an older one.

        Raises:
            UnknownVersionError: the version does not exist.
        """
        self._check_exists(version)
        references.write_reference(self._storage, version, text)

    def reference(self, version: int) -> str | None:
        """Returns the reference distribution of `version` as JSON; `None` if it was pushed without one.

        Raises:
            UnknownVersionError: the version does not exist.
        """
        self._check_exists(version)
        return references.read_reference(self._storage, version)

    def latest_retraining(self) -> retraining.Retraining | None:
        """Returns the latest run that drift has requested; `None` if there was none."""
        return retraining.latest_retraining(self._storage)

    def request_retraining(
        self, version: int, reason: str, least_time: datetime.timedelta
    ) -> retraining.Retraining | None:
        """Records the request for a run; `None` if one was requested less than `least_time` ago."""
        return retraining.request_retraining(self._storage, version, reason, _now(), least_time)

    def record_retraining(self, started: retraining.Retraining) -> None:
        """Records the run that was started for a request, or why it could not be."""
        retraining.record_start(self._storage, started)

    def _numbers(self) -> list[int]:
        matches = (_MANIFEST_NAME.fullmatch(name) for name in self._storage.names(MANIFESTS))
        return sorted(int(match.group(1)) for match in matches if match)

    def _with_content(self, content: str) -> Manifest | None:
        return next((manifest for manifest in self.versions() if manifest.content_hash == content), None)

    def _folder_numbers(self) -> list[int]:
        return sorted(int(name) for name in self._storage.names(VERSIONS) if _VERSION_NAME.fullmatch(name))

    def _check_canary(self, version: int) -> None:
        self._check_exists(version)
        served = self.served()
        if served is None:
            raise RegistryError(f"the registry {self.uri} serves no version yet, so it cannot have a canary")
        if served == version:
            raise RegistryError(f"version {version} is already served: name another as canary")

    def _canary_version(self, expected: int | None = None) -> int:
        canary = self.canary()
        if canary is None:
            raise RegistryError(
                f"the registry {self.uri} has no canary; `segpipe rollout --canary PERCENT` creates one"
            )
        if canary.version != (expected or canary.version):
            raise RegistryError(
                f"the canary is version {canary.version} now, no longer {expected}: check and try again"
            )
        return canary.version

    def _rollback_target(self, version: int | None) -> int:
        if version is None:
            return self._before(self._read_record())
        self._check_exists(version)
        return version

    def _check_exists(self, version: int) -> None:
        numbers = self._numbers()
        if not numbers:
            raise no_registry(self.uri)
        if version not in numbers:
            known = ", ".join(map(str, numbers))
            raise UnknownVersionError(f"the registry {self.uri} has no version {version}; it has {known}")

    def _read_manifest(self, version: int) -> Manifest:
        path = _manifest_path(version)
        try:
            manifest = Manifest.model_validate_json(self._storage.read(path))
        except ValidationError as error:
            raise self._corrupt_manifest(
                path, f"{counted(error.error_count(), 'error')}, the first: {_first(error)}"
            ) from error
        if manifest.version != version or manifest.content_hash != content_hash(manifest.files):
            raise self._corrupt_manifest(path, "it is not what was written for this version")
        return manifest

    def _corrupt_manifest(self, path: str, why: str) -> CorruptRecordError:
        return CorruptRecordError(
            f"{self._storage.location(path)} is damaged ({why}); restore it from a copy, or remove it to give up "
            "the version"
        )

    def _read_record(self) -> ServingRecord:
        try:
            return ServingRecord.model_validate_json(self._storage.read(SERVED))
        except FileNotFoundError:
            return ServingRecord()
        except ValidationError as error:
            raise CorruptRecordError(
                f"{self._storage.location(SERVED)} is damaged ({_first(error)}); restore it from a copy, or write "
                '{"served": n} into it, n being the version to serve'
            ) from error

    def _write_record(self, writer: Writer, record: ServingRecord) -> None:
        writer.write(SERVED, record.model_dump_json(indent=2).encode())

    def _before(self, record: ServingRecord) -> int:
        if record.served is None:
            raise NoRegistryError(f"the registry {self.uri} serves no version, so it cannot be rolled back")
        before = record.before(self._numbers())
        if before is None:
            raise RegistryError(
                f"no version was served before version {record.served}: name the version to roll back to"
            )
        return before

    def _corrupt(self, version: int, error: ContentMismatchError) -> CorruptVersionError:
        folder = self.version_location(version)
        if isinstance(error, UnsafePathError):
            return CorruptVersionError(
                f"the manifest of version {version} names the file {error.path!r}, which lies outside of {folder}"
            )
        return CorruptVersionError(
            f"{folder}/{error.path} is not the file that was pushed as part of version {version}: "
            "restore it from a copy, or roll back to another version"
        )

    def _add_files(self, writer: Writer, model_dir: str, files: Mapping[str, str]) -> int:
        number = max((*self._numbers(), *self._folder_numbers(), *self.ever_served()), default=0) + 1
        try:
            while not writer.add_folder(_version_folder(number), open_storage(model_dir), files):
                number += 1
        except ContentMismatchError as error:
            raise RegistryError(f"{model_dir}/{error.path} changed while it was pushed: run again") from error
        return number

    def _remove_orphans(self, writer: Writer) -> None:
        """Removes folders of pushes that died before they wrote a manifest.

        Folders with a number above the latest version stay until there is a later one, so that a number that a model
        server may have seen is never given to another model.
        """
        numbers = self._numbers()
        for number in set(self._folder_numbers()) - set(numbers):
            if number < numbers[-1] and writer.is_abandoned(_version_folder(number)):
                writer.remove_folder(_version_folder(number))


def no_registry(uri: str) -> NoRegistryError:
    """Returns the error of a registry without versions."""
    return NoRegistryError(
        f"the registry {uri} has no version: check its address, or run the pipeline until a model is blessed"
    )


def _manifest_path(version: int) -> str:
    return f"{MANIFESTS}/{version}.json"


def _version_folder(version: int) -> str:
    return f"{VERSIONS}/{version}"


def _first(error: ValidationError) -> str:
    detail = error.errors()[0]
    place = ".".join(map(str, detail["loc"]))
    return f"{place}: {detail['msg']}" if place else detail["msg"]


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)
