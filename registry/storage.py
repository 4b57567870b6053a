"""What the registry asks of the place where it lives, be it a folder or a bucket."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import BinaryIO, Protocol


class Writer(Protocol):
    """The right to change a storage, held for a while."""

    def write(self, path: str, data: bytes) -> None:
        """Makes `data` the content of the file: a reader sees the old content or the new, never a part."""

    def add_folder(self, folder: str, source: Storage, files: Mapping[str, str]) -> bool:
        """Copies `files` (path → SHA-256) of `source` into the new `folder`.

        Returns:
            False, and nothing is changed, if another writer has taken the name.

        Raises:
            ContentMismatchError: a file does not have its hash; the folder is not there then, or nobody's.
        """

    def remove_folder(self, folder: str) -> None:
        """Removes the folder with all that is in it."""

    def is_abandoned(self, folder: str) -> bool:
        """Whether no living writer can still be filling the folder."""


class Storage(Protocol):
    """A tree of files below one root; paths are relative to it and have slashes."""

    def location(self, path: str = "") -> str:
        """The place as a person or another library would call it."""

    def absence(self) -> str | None:
        """Why nothing can lie at the root, such as "there is no folder /x"; None where something can."""

    def names(self, folder: str) -> list[str]:
        """Sorted names of what lies directly in `folder`; none if it is not there."""

    def files(self, folder: str = "") -> list[str]:
        """Sorted paths, relative to `folder`, of all files below it; none if it is not there."""

    def open(self, path: str) -> BinaryIO:
        """The file, to be read."""

    def read(self, path: str) -> bytes:
        """The file's content.

        Raises:
            FileNotFoundError: there is no such file.
        """

    def writer(self, purpose: str) -> AbstractContextManager[Writer]:
        """The right to change what belongs to `purpose`.

        In a folder one process has it at a time and others wait; a bucket knows no locks.
        """


def open_storage(uri: str) -> Storage:
    """The storage at a local path or at a URI that fsspec knows, such as `gs://bucket/folder`.

    Raises:
        RegistryError: the package for this kind of URI is not installed.
    """
    if "://" not in uri or uri.startswith("file://"):
        from registry.local_storage import LocalStorage

        return LocalStorage(uri.removeprefix("file://"))
    # fsspec is only imported for those who need it: a registry in a folder answers at once.
    from registry.object_storage import ObjectStorage

    return ObjectStorage(uri)
