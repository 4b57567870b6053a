"""Registry storage in a bucket: without rename and locks, so files are written first and their record last.

A folder's name is claimed before it is filled, by an object that is only put if it does not exist yet (guaranteed by S3
and Google Cloud Storage; fsspec's mode "create").  So two writers never fill the same folder.  Putting one object is
atomic.  Limitation: if two writers change the same record (`served.json`) at once, the earlier change may be lost,
because there is no lock.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from fsspec.core import url_to_fs

from registry.errors import RegistryError
from registry.hashing import copy_checked, safe_path
from registry.storage import Storage

CLAIMS = ".claims"
_STORES = {"s3", "s3a", "gs", "gcs"}
ABANDONED_AFTER = datetime.timedelta(days=1)


class ObjectStorage:
    """Bucket, or a folder in it, that fsspec can access."""

    def __init__(self, uri: str) -> None:
        try:
            self._fs, self._root = url_to_fs(uri)
        except ValueError as error:
            raise RegistryError(f"the registry {uri!r} cannot be opened: {error}") from error
        except ImportError as error:
            raise RegistryError(f"the registry {uri!r} needs a package that is not installed: {error}") from error
        self._uri = uri.rstrip("/")

    def location(self, path: str = "") -> str:
        return f"{self._uri}/{path}" if path else self._uri

    def absence(self) -> str | None:
        """As in `Storage`; a bucket has no folders, so only the bucket itself can be missing."""
        protocols = {self._fs.protocol} if isinstance(self._fs.protocol, str) else set(self._fs.protocol)
        bucket = self._root.strip("/").partition("/")[0]
        if not protocols & _STORES or self._fs.exists(bucket):
            return None
        return f"the bucket {bucket} does not exist or may not be read"

    def names(self, folder: str) -> list[str]:
        path = self._listed(folder)
        try:
            found = self._fs.ls(path, detail=False)
        except FileNotFoundError:
            return []
        return sorted({name.rstrip("/").rpartition("/")[2] for name in found if name.rstrip("/") != path})

    def files(self, folder: str = "") -> list[str]:
        path = self._listed(folder)
        return sorted(name.removeprefix(f"{path}/") for name in self._fs.find(path) if name != path)

    def open(self, path: str) -> BinaryIO:
        return cast(BinaryIO, self._fs.open(self._path(path), "rb"))

    def read(self, path: str) -> bytes:
        return bytes(self._fs.cat_file(self._path(path)))

    @contextmanager
    def writer(self, purpose: str) -> Iterator[ObjectWriter]:
        yield ObjectWriter(self._fs, self._root.rstrip("/"))

    def _path(self, path: str) -> str:
        return f"{self._root.rstrip('/')}/{path}".rstrip("/")

    def _listed(self, folder: str) -> str:
        path = self._path(folder)
        # Others write here too, so fsspec's cached listing may be outdated.
        self._fs.invalidate_cache()
        return path


class ObjectWriter:
    """Writer of a bucket; others may write at the same time."""

    def __init__(self, fs: Any, root: str) -> None:
        self._fs = fs
        self._root = root

    def write(self, path: str, data: bytes) -> None:
        self._fs.pipe_file(f"{self._root}/{path}", data)

    def create(self, path: str, data: bytes) -> bool:
        address = f"{self._root}/{path}"
        try:
            self._fs.pipe_file(address, data, mode="create")
        except OSError:
            # Error types differ between stores; only the existence of the object matters.
            self._fs.invalidate_cache()
            if not self._fs.exists(address):
                raise
            return False
        return True

    def add_folder(self, folder: str, source: Storage, files: Mapping[str, str]) -> bool:
        if not self._claim(folder):
            return False
        for path, expected in files.items():
            with self._fs.open(f"{self._root}/{folder}/{safe_path(path)}", "wb") as file:
                copy_checked(source, path, expected, file)
        return True

    def remove_folder(self, folder: str) -> None:
        self._fs.rm(f"{self._root}/{folder}", recursive=True)

    def is_abandoned(self, folder: str) -> bool:
        try:
            claimed = self._fs.cat_file(f"{self._root}/{self._relative_claim(folder)}").decode()
        except FileNotFoundError:
            return False
        return _now() - datetime.datetime.fromisoformat(claimed) > ABANDONED_AFTER

    def _claim(self, folder: str) -> bool:
        return self.create(self._relative_claim(folder), _now().isoformat().encode())

    def _relative_claim(self, folder: str) -> str:
        return f"{CLAIMS}/{folder.replace('/', '-')}"


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)
