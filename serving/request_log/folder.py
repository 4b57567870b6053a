"""Folder of a request log on a local disk or in a bucket.

    <log>/requests/date=2026-11-27/13-05-59.123456-HOST-1234-1.parquet   rows; the time is that of the last one
    <log>/images/2026-11-27/<digest>.png                                 kept images

A file appears when it is complete: on a disk it is written under a temporary name and renamed, and an object of a
bucket is visible only as a whole.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Any, NamedTuple

from fsspec.core import url_to_fs

from common.errors import UserError

REQUESTS, IMAGES = "requests", "images"
_STAGING = ".staging-"


class StoredFile(NamedTuple):
    """File below the folder."""

    path: str
    size: int


class LogFolder:
    """Folder on a disk, or any that fsspec can access; paths are relative to it and have slashes."""

    def __init__(self, uri: str) -> None:
        """Does not access the folder.

        Raises:
            UserError: there is no such kind of address, or its package is not installed.
        """
        try:
            self._fs, root = url_to_fs(uri)
        except (ValueError, ImportError) as error:
            raise UserError(f"the request log {uri!r} cannot be opened: {error}") from error
        self.uri = uri.rstrip("/")
        self._root = root.rstrip("/")
        self.is_local = "file" in (self._fs.protocol if isinstance(self._fs.protocol, tuple) else (self._fs.protocol,))

    def check_writable(self) -> None:
        """Creates a local folder; a bucket is not asked, since it may be unavailable for a while.

        Raises:
            UserError: the folder cannot be written.
        """
        if not self.is_local:
            return
        probe = Path(self._root, f"{_STAGING}{uuid.uuid4().hex}")
        try:
            probe.parent.mkdir(parents=True, exist_ok=True)
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise UserError(
                f"cannot write the request log {self.uri}: {error.strerror}; name another folder with --log"
            ) from None

    def write(self, path: str, data: bytes) -> None:
        """Writes a file atomically.

        Raises:
            Exception: any that the store raises.
        """
        if not self.is_local:
            self._fs.pipe_file(self._address(path), data)
            return
        target = Path(self._address(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        staged = target.with_name(f"{_STAGING}{uuid.uuid4().hex}")
        try:
            with staged.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            staged.replace(target)
        finally:
            staged.unlink(missing_ok=True)

    def read(self, path: str) -> bytes:
        """Returns a file's content."""
        return bytes(self._fs.cat_file(self._address(path)))

    def names(self, folder: str = "") -> list[str]:
        """Returns the sorted names of the entries of `folder`; none if it does not exist."""
        self._fs.invalidate_cache()  # Others write here too.
        address = self._address(folder)
        try:
            found = self._fs.ls(address, detail=False)
        except FileNotFoundError:
            return []
        return sorted({name.rstrip("/").rpartition("/")[2] for name in found if name.rstrip("/") != address})

    def files(self, folder: str = "") -> list[StoredFile]:
        """Returns all complete files below `folder`, sorted by path; none if it does not exist."""
        self._fs.invalidate_cache()
        found: dict[str, Any] = self._fs.find(self._address(folder), detail=True)
        files = [StoredFile(self._relative(name), int(info["size"] or 0)) for name, info in found.items()]
        return sorted(file for file in files if _STAGING not in file.path)

    def remove(self, path: str) -> None:
        """Removes a file, which another server may have removed already."""
        try:
            self._fs.rm_file(self._address(path))
        except FileNotFoundError:
            return

    def _address(self, path: str) -> str:
        return f"{self._root}/{path}" if path else self._root

    def _relative(self, name: str) -> str:
        return name.removeprefix(f"{self._root}/")
