"""Hashing of a version's files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from registry.storage import Storage

CHUNK_BYTES = 1 << 20


class ContentMismatchError(Exception):
    """A file does not have the hash that it should have; `path` is relative to its folder."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} does not have the hash that it should have")
        self.path = path


class UnsafePathError(ContentMismatchError):
    """A manifest must not have this path: it is absolute or leads out of the folder."""


def safe_path(path: str) -> str:
    """Returns `path` if it is relative, normalised and inside its folder.

    Raises:
        UnsafePathError: it is not.
    """
    if "\\" in path or "\0" in path or any(part in ("", ".", "..") for part in path.split("/")):
        raise UnsafePathError(path)
    return path


def hash_folder(folder: Storage) -> dict[str, str]:
    """Returns path → SHA-256 of every file in `folder` and its subfolders, read in chunks."""
    return {path: hash_file(folder, path) for path in folder.files()}


def hash_file(folder: Storage, path: str) -> str:
    """Returns the SHA-256 of one file, in hexadecimal."""
    digest = hashlib.sha256()
    with folder.open(path) as file:
        for chunk in _chunks(file):
            digest.update(chunk)
    return digest.hexdigest()


def content_hash(files: Mapping[str, str]) -> str:
    """Returns the SHA-256 over sorted paths and hashes: equal if and only if folders hold the same files."""
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path}\0{files[path]}\n".encode())
    return digest.hexdigest()


def copy_checked(source: Storage, path: str, expected: str, target: BinaryIO) -> None:
    """Copies one file of `source` into `target` while hashing it.

    Raises:
        ContentMismatchError: the copied bytes do not have the hash `expected`.
    """
    digest = hashlib.sha256()
    with source.open(path) as file:
        for chunk in _chunks(file):
            digest.update(chunk)
            target.write(chunk)
    if digest.hexdigest() != expected:
        raise ContentMismatchError(path)


def check_folder(folder: Storage, files: Mapping[str, str]) -> None:
    """Checks that `folder` holds exactly `files`, with their hashes.

    Raises:
        ContentMismatchError: a file is missing, not recorded, changed, or recorded with a path outside the folder.
    """
    check_names(folder, files)
    for path, expected in files.items():
        if hash_file(folder, path) != expected:
            raise ContentMismatchError(path)


def check_names(folder: Storage, files: Mapping[str, str]) -> None:
    """Checks that `folder` holds exactly the files named in `files`.

    Raises:
        ContentMismatchError: a file is missing, not recorded, or recorded with a path outside the folder.
    """
    for path in files:
        safe_path(path)
    for path in sorted(files.keys() ^ set(folder.files())):
        raise ContentMismatchError(path)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(CHUNK_BYTES):
        yield chunk
