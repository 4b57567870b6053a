"""Registry storage in a folder: files are staged, synced to disk, and published by one rename.

Unfinished files have names that begin with `.staging-<purpose>-`.  Only the holder of that purpose's lock creates them,
and the kernel releases the lock of a process that dies; so the next holder of the lock removes them as abandoned.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from common.machine_faults import describe_room
from registry.errors import RegistryError
from registry.hashing import copy_checked, safe_path
from registry.storage import Storage

_TAKEN = (errno.EEXIST, errno.ENOTEMPTY)
_ADVICE = {
    errno.EACCES: "give this user the right to write there, or name another registry",
    errno.EPERM: "give this user the right to write there, or name another registry",
    errno.EROFS: "the file system is read-only: name another registry",
    errno.ENOSPC: "the disk is full: make room and run again",
    errno.EDQUOT: "the quota is used up: make room and run again",
    errno.ENOTDIR: "a part of this path is a file: name a folder",
    errno.EEXIST: "a part of this path is a file: name a folder",
    errno.ENOLCK: "the file system has no file locks: name a folder on another one, or a bucket",
    errno.EOPNOTSUPP: "the file system has no file locks: name a folder on another one, or a bucket",
}


class LocalStorage:
    """Local folder; it need not exist yet."""

    def __init__(self, root: str | Path) -> None:
        self._root = Path(root).absolute()

    def location(self, path: str = "") -> str:
        return str(self._root / path)

    def absence(self) -> str | None:
        if self._root.is_dir():
            return None
        if self._root.exists():
            return f"{self._root} is a file, not a folder"
        return f"the folder {self._root} does not exist"

    def names(self, folder: str) -> list[str]:
        try:
            return sorted(entry.name for entry in (self._root / folder).iterdir())
        except FileNotFoundError:
            return []
        except (NotADirectoryError, PermissionError) as error:
            raise RegistryError(f"cannot read the folder {self.location(folder)}: {error.strerror}") from error

    def files(self, folder: str = "") -> list[str]:
        """As in `Storage`; a symbolic link is refused, because its target may be anywhere."""
        top = self._root / folder
        if not top.is_dir():
            return []
        found = []
        for parent, folders, names in os.walk(top, onerror=_refuse):
            for name in (*folders, *names):
                if (path := Path(parent, name)).is_symlink():
                    raise RegistryError(f"{path} is a symbolic link: put the file itself in its place")
            found += [Path(parent, name).relative_to(top).as_posix() for name in names]
        return sorted(found)

    def open(self, path: str) -> BinaryIO:
        return (self._root / path).open("rb")

    def read(self, path: str) -> bytes:
        try:
            return (self._root / path).read_bytes()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise RegistryError(f"cannot read {self.location(path)}: {error.strerror}") from error

    @contextmanager
    def writer(self, purpose: str) -> Iterator[LocalWriter]:
        """As in `Storage`.

        Raises:
            RegistryError: the folder cannot be written, or its file system has no locks.
        """
        try:
            _make_folder(self._root)
            with _locked(self._root / f".{purpose}.lock"):
                writer = LocalWriter(self._root, f".staging-{purpose}-")
                writer.sweep()
                yield writer
        except OSError as error:
            if error.errno not in _ADVICE:
                raise
            place = error.filename or self._root
            left = f" ({describe_room(self._root)})" if error.errno == errno.ENOSPC else ""
            raise RegistryError(f"cannot write {place}: {error.strerror}{left}; {_ADVICE[error.errno]}") from error


class LocalWriter:
    """Changes a folder while its lock is held."""

    def __init__(self, root: Path, prefix: str) -> None:
        self._root = root
        self._prefix = prefix

    def sweep(self) -> None:
        """Removes what earlier holders of the lock left unfinished."""
        for path in self._root.glob(f"{self._prefix}*"):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

    def write(self, path: str, data: bytes) -> None:
        target = self._root / path
        _make_folder(target.parent)
        staged = self._staging_path()
        with staged.open("xb") as file:
            file.write(data)
            _sync_file(file)
        staged.replace(target)
        _sync_folder(target.parent)

    def create(self, path: str, data: bytes) -> bool:
        if (self._root / path).exists():  # Nobody else creates it: the lock is held.
            return False
        self.write(path, data)
        return True

    def add_folder(self, folder: str, source: Storage, files: Mapping[str, str]) -> bool:
        target = self._root / folder
        _make_folder(target.parent)
        staged = self._staging_path()
        try:
            _copy_folder(source, files, staged)
            if not _rename_exclusively(staged, target):
                return False
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        _sync_folder(target.parent)
        return True

    def remove_folder(self, folder: str) -> None:
        # Renamed first, so that readers never see it half empty.
        staged = self._staging_path()
        (self._root / folder).rename(staged)
        shutil.rmtree(staged)

    def is_abandoned(self, folder: str) -> bool:
        return True  # All writers need the lock, which this process holds.

    def _staging_path(self) -> Path:
        return self._root / f"{self._prefix}{uuid.uuid4().hex}"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield  # Closing the file releases the lock.


def _copy_folder(source: Storage, files: Mapping[str, str], target: Path) -> None:
    target.mkdir()
    for path, expected in files.items():
        copy = target / safe_path(path)
        copy.parent.mkdir(parents=True, exist_ok=True)
        with copy.open("xb") as file:
            copy_checked(source, path, expected, cast(BinaryIO, file))
            _sync_file(file)
    for parent, _, _ in os.walk(target, onerror=_refuse):
        _sync_folder(Path(parent))


def _refuse(error: OSError) -> None:
    """Error handler of `os.walk`, which would skip unreadable folders."""
    raise RegistryError(f"cannot read the folder {error.filename}: {error.strerror}") from error


def _rename_exclusively(staged: Path, target: Path) -> bool:
    try:
        staged.rename(target)  # Renaming a folder fails unless the target is absent or empty.
    except OSError as error:
        if error.errno in _TAKEN:
            return False
        raise
    return True


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)


def _sync_file(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Syncs the folder's entries to disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
