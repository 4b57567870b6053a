"""The output folder: where its files are, and how they are written so that an interrupted call can be continued.

    <out>/predictions.json                   what was predicted, by which model: see `Origin`
    <out>/masks/<path>.mask.png              a mask for each image
    <out>/index/part-00012-of-00100.parquet  a row for each image of a shard
    <out>/rejected.jsonl, summary.json       written when a call ends
    <out>/.journal/00012/<name>.jsonl        rows of a shard that is not complete yet

A file appears when it is complete: on a disk it is written to `.staging` and moved, and an object of a bucket is
visible only when it has been written.  A mask is written before its row.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common.errors import UserError

ORIGIN_FILE = "predictions.json"
REJECTED_FILE = "rejected.jsonl"
SUMMARY_FILE = "summary.json"
MASKS, INDEX = "masks", "index"
_PLAIN = "uncompressed"  # Beam would guess a compression by the suffix.
_JOURNAL, _STAGING, _LOCK = ".journal", ".staging", ".lock"
_OWN = (MASKS, INDEX, _JOURNAL, _STAGING, REJECTED_FILE, SUMMARY_FILE, ORIGIN_FILE)
"""What a call writes, and what `--overwrite` removes; the origin is last, as it says that the others are ours."""


class OutFolder:
    """Folder on a disk or in a bucket; paths are relative to it."""

    def __init__(self, root: str) -> None:
        self.root = root if _is_remote(root) else str(Path(root).absolute())
        self.root = self.root.rstrip("/")
        self.is_remote = _is_remote(self.root)

    def address(self, path: str) -> str:
        """Returns the whole path or URI of a file."""
        return f"{self.root}/{path}"

    def write(self, path: str, data: bytes) -> None:
        """Writes a file; it appears when it is complete."""
        if self.is_remote:
            with _file_systems().create(self.address(path), compression_type=_PLAIN) as file:
                file.write(data)
            return
        target, staging = Path(self.root, path), Path(self.root, _STAGING)
        staged = staging / uuid.uuid4().hex
        for folder in (staging, target.parent):
            folder.mkdir(parents=True, exist_ok=True)
        staged.write_bytes(data)
        staged.replace(target)

    def read(self, path: str) -> bytes:
        """Returns a file's content.

        Raises:
            FileNotFoundError: it does not exist.
        """
        if not self.is_remote:
            return Path(self.root, path).read_bytes()
        if not _file_systems().exists(self.address(path)):
            raise FileNotFoundError(self.address(path))
        with _file_systems().open(self.address(path), compression_type=_PLAIN) as file:
            data: bytes = file.read()
            return data

    def names(self, folder: str) -> list[str]:
        """Returns the names of the files directly in `folder`; none if it does not exist."""
        if not self.is_remote:
            path = Path(self.root, folder)
            return sorted(one.name for one in path.iterdir()) if path.is_dir() else []
        return sorted(path.rpartition("/")[2] for path in self._matching(f"{folder}/*"))

    def remove(self, path: str) -> None:
        """Removes a file, or a folder with all that is in it; nothing happens if there is none."""
        if not self.is_remote:
            target = Path(self.root, path)
            if target.is_dir() and not target.is_symlink():
                shutil.rmtree(target)
            else:
                target.unlink(missing_ok=True)
            return
        for pattern in (path, f"{path}/**"):
            if found := self._matching(pattern):
                _file_systems().delete(found)

    def holds_own(self) -> bool:
        """Whether something lies where a call writes."""
        if self.is_remote:
            return any(self._matching(path) or self._matching(f"{path}/**") for path in _OWN)
        return any(os.path.lexists(self.address(path)) for path in _OWN)

    def clear(self) -> None:
        """Removes what earlier calls have written."""
        for path in _OWN:
            self.remove(path)

    def clean(self) -> None:
        """Removes what an interrupted call has left unfinished; rows of the journal stay."""
        if not self.is_remote:
            self.remove(_STAGING)

    def _matching(self, pattern: str) -> list[str]:
        """Returns the addresses of the objects of a bucket that match a pattern."""
        [matched] = _file_systems().match([self.address(pattern)])
        return [file.path for file in matched.metadata_list]


@contextmanager
def locked(out: OutFolder) -> Iterator[None]:
    """Keeps a second call out of the folder while the context is open; a bucket has no locks.

    Raises:
        UserError: another call writes to the folder, or it cannot be written.
    """
    if out.is_remote:
        _check_kind(out.root)
        yield
        return
    path = Path(out.root, _LOCK)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError as error:
        raise UserError(f"cannot write the folder {out.root}: {error.strerror}; name another output folder") from None
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(
                f"another prediction writes to {out.root}; wait for it, or name another output folder"
            ) from None
        yield


def journal_folder(shard: int) -> str:
    """Returns the folder for the rows of a shard that is not complete."""
    return f"{_JOURNAL}/{shard:05d}"


def mask_path(path: str) -> str:
    """Returns where the mask of the image at `path` is."""
    return f"{MASKS}/{path}.mask.png"


def read_or_none(out: OutFolder, path: str) -> bytes | None:
    """Returns a file's content; `None` if it does not exist."""
    try:
        return out.read(path)
    except FileNotFoundError:
        return None


def _file_systems() -> Any:
    """Returns Beam's file systems, which are imported for a bucket only: the import takes seconds."""
    from apache_beam.io.filesystems import FileSystems

    return FileSystems


def _check_kind(root: str) -> None:
    try:
        _file_systems().get_filesystem(root)
    except ValueError:
        raise UserError(
            f"cannot write the folder {root}: the kind of address is unknown, or its package is not installed "
            "(apache-beam[gcp] for gs://, apache-beam[aws] for s3://); name another output folder"
        ) from None


def _is_remote(root: str) -> bool:
    return "://" in root
