"""Fingerprint of a data set: it changes if a file is added, removed or written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from components.example_gen.files import FileInfo


def fingerprint_of(files: Iterable[FileInfo], manifest: bytes = b"") -> str:
    """Returns the SHA-256 over path, size and modification time of `files` in any order, and the manifest's bytes.

    If a link is on a file's path, size and time are those of its target, and the target is included.
    Opens no image: 10 000 local files take well under a second.
    """
    digest = hashlib.sha256(hashlib.sha256(manifest).digest())
    for file in sorted(files, key=lambda file: file.path):
        digest.update(f"{file.path}\0{file.size}\0{file.changed!r}\0".encode())
        if file.target:
            digest.update(f"{file.target}\0".encode())
    return digest.hexdigest()


def fingerprint_of_text(*parts: str) -> str:
    """Returns the SHA-256 over `parts`, for a data set that is identified by name and version."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
