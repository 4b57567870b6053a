"""Statistics of data that passed the data gate, kept as the baseline of later drift checks."""

from __future__ import annotations

import re
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from registry.errors import CorruptRecordError, RegistryError
from registry.storage import Storage, open_storage

STATISTICS = "statistics"
INDEX = f"{STATISTICS}/index.json"
_FINGERPRINT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class RecordedStatistics(NamedTuple):
    """Statistics of one state of the data."""

    fingerprint: str
    location: str
    """Folder with the recorded files."""


class _Index(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    fingerprints: tuple[str, ...] = ()


def latest_statistics(storage: Storage, other_than: str) -> RecordedStatistics | None:
    """Returns the statistics recorded last, except those of the data with the fingerprint `other_than`."""
    for fingerprint in reversed(_read_index(storage).fingerprints):
        if fingerprint != other_than:
            return RecordedStatistics(fingerprint, storage.location(f"{STATISTICS}/{fingerprint}"))
    return None


def record_statistics(storage: Storage, fingerprint: str, path: str) -> None:
    """Keeps a copy of the file, or of all files in the folder, at `path`.

    The index is written last and defines what is recorded; files left by a crash are overwritten.  A recorded
    fingerprint keeps its files and its position in the order.

    Raises:
        RegistryError: `path` does not exist.
    """
    if not _FINGERPRINT.fullmatch(fingerprint):
        raise ValueError(f"{fingerprint!r} is not a fingerprint")
    files = _read_files(path)
    with storage.writer(STATISTICS) as writer:
        index = _read_index(storage)
        if fingerprint in index.fingerprints:
            return
        for name, data in files.items():
            writer.write(f"{STATISTICS}/{fingerprint}/{name}", data)
        index = _Index(fingerprints=(*index.fingerprints, fingerprint))
        writer.write(INDEX, index.model_dump_json(indent=2).encode())


def _read_files(path: str) -> dict[str, bytes]:
    """Reads the files into memory; statistics have a few hundred kilobytes."""
    folder = open_storage(path)
    if names := folder.files():
        return {name: folder.read(name) for name in names}
    parent, _, name = path.rstrip("/").rpartition("/")
    try:
        return {name: open_storage(parent or ".").read(name)}
    except OSError as error:
        raise RegistryError(f"no statistics at {path}") from error


def _read_index(storage: Storage) -> _Index:
    try:
        return _Index.model_validate_json(storage.read(INDEX))
    except FileNotFoundError:
        return _Index()
    except ValidationError as error:
        raise CorruptRecordError(
            f"{storage.location(INDEX)} cannot be read; remove it, and drift checks resume one run later"
        ) from error
