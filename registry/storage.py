"""Storage interface of the registry, implemented by a folder and by a bucket."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import BinaryIO, Protocol


class Writer(Protocol):
    """Write access to a storage, held for a while."""

    def write(self, path: str, data: bytes) -> None:
        """Writes `data` to the file atomically: a reader sees the old content or the new."""

    def create(self, path: str, data: bytes) -> bool:
        """Writes `data` to a new file; returns False, without a change, if the file exists."""

    def add_folder(self, folder: str, source: Storage, files: Mapping[str, str]) -> bool:
        """Copies `files` (path → SHA-256) of `source` into the new `folder`.

        Returns:
            False, without a change, if another writer has taken the name.

        Raises:
            ContentMismatchError: a file does not have its hash; the folder then does not exist, or is abandoned.
        """

    def remove_folder(self, folder: str) -> None:
        """Removes the folder with its content."""

    def is_abandoned(self, folder: str) -> bool:
        """Whether no running writer can still be filling the folder."""


class Storage(Protocol):
    """Tree of files below a root; paths are relative to it and have slashes."""

    def location(self, path: str = "") -> str:
        """Returns the full path or URI of `path`."""

    def absence(self) -> str | None:
        """Returns why the root is missing, such as "the folder /x does not exist"; None if it exists."""

    def names(self, folder: str) -> list[str]:
        """Returns the sorted names of the entries of `folder`; empty if it does not exist."""

    def files(self, folder: str = "") -> list[str]:
        """Returns the sorted paths, relative to `folder`, of all files below it; empty if it does not exist."""

    def open(self, path: str) -> BinaryIO:
        """Opens the file for reading."""

    def read(self, path: str) -> bytes:
        """Returns the file's content.

        Raises:
            FileNotFoundError: the file does not exist.
        """

    def writer(self, purpose: str) -> AbstractContextManager[Writer]:
        """Returns write access for `purpose`.

        In a folder it is exclusive, and other processes wait; a bucket has no locks.
        """


def open_storage(uri: str) -> Storage:
    """Returns the storage at a local path, or at a URI that fsspec supports, such as `gs://bucket/folder`.

    Raises:
        RegistryError: the package for this kind of URI is not installed.
    """
    if "://" not in uri or uri.startswith("file://"):
        from registry.local_storage import LocalStorage

        return LocalStorage(uri.removeprefix("file://"))
    # fsspec is imported only if needed, so that a registry in a folder is fast.
    from registry.object_storage import ObjectStorage

    return ObjectStorage(uri)
