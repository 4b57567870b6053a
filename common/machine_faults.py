"""Detection of machine faults behind an error: a full disk, a missing permission, too little memory.

Libraries wrap such errors and often keep only their text, so both the error numbers and the messages of C, Python,
SQLite and TensorFlow are searched for, anywhere in the chain of an error's causes.
"""

from __future__ import annotations

import errno
import math
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from common.errors import RESUME

MEGABYTE = 1_000_000


class Kind(Enum):
    """Kind of machine fault."""

    DISK_FULL = "disk full"
    QUOTA = "quota"
    FILE_SIZE = "file size"
    READ_ONLY = "read-only"
    NO_RIGHT = "no right"
    NO_LOCKS = "no locks"
    NOT_A_FOLDER = "not a folder"
    LONG_NAME = "long name"
    OPEN_FILES = "open files"
    PROCESSES = "processes"
    MEMORY = "memory"
    BROKEN_DISK = "broken disk"


_NUMBERS = {
    errno.ENOSPC: Kind.DISK_FULL,
    errno.EDQUOT: Kind.QUOTA,
    errno.EFBIG: Kind.FILE_SIZE,
    errno.EROFS: Kind.READ_ONLY,
    errno.EACCES: Kind.NO_RIGHT,
    errno.EPERM: Kind.NO_RIGHT,
    errno.ENOLCK: Kind.NO_LOCKS,
    errno.EOPNOTSUPP: Kind.NO_LOCKS,
    errno.ENOTDIR: Kind.NOT_A_FOLDER,
    errno.EEXIST: Kind.NOT_A_FOLDER,  # When a folder is created: a file or a dangling link is in its place.
    errno.ENAMETOOLONG: Kind.LONG_NAME,
    errno.EMFILE: Kind.OPEN_FILES,
    errno.ENFILE: Kind.OPEN_FILES,
    errno.EAGAIN: Kind.PROCESSES,
    errno.ENOMEM: Kind.MEMORY,
    errno.EIO: Kind.BROKEN_DISK,
    errno.ESTALE: Kind.BROKEN_DISK,
    errno.ENOTCONN: Kind.BROKEN_DISK,
    errno.ENODEV: Kind.BROKEN_DISK,
}
_OF_A_PATH = {Kind.READ_ONLY, Kind.NO_RIGHT, Kind.NOT_A_FOLDER, Kind.LONG_NAME, Kind.BROKEN_DISK, Kind.NO_LOCKS}
_SQLITE_TEXTS = {
    "database or disk is full": Kind.DISK_FULL,
    "attempt to write a readonly database": Kind.READ_ONLY,
    "unable to open database file": Kind.NO_RIGHT,
    "disk I/O error": Kind.BROKEN_DISK,
}
_TEXTS = {
    "No usable temporary directory found": Kind.DISK_FULL,
    "can't start new thread": Kind.PROCESSES,
    "std::bad_alloc": Kind.MEMORY,
    "OOM when allocating": Kind.MEMORY,
    "failed to allocate memory": Kind.MEMORY,
    "Out of memory": Kind.MEMORY,
    "out of memory": Kind.MEMORY,
    "CUDA_ERROR_OUT_OF_MEMORY": Kind.MEMORY,
    "Unable to allocate": Kind.MEMORY,
    **{
        os.strerror(number): kind
        for number, kind in _NUMBERS.items()
        if number not in (errno.EAGAIN, errno.EEXIST, errno.EPERM, errno.EOPNOTSUPP, errno.ENODEV)
        # Their texts are too vague.
    },
}
_PATH = re.compile(r"(?<![\w.:/])/(?:[^\s;:'\"]+)")
_QUOTED_PATH = re.compile(r"'(/[^']+)'|\"(/[^\"]+)\"")


class MachineFault(NamedTuple):
    """A machine fault and the path that the operation failed on, if the error names it."""

    kind: Kind
    path: Path | None


def machine_fault_in(error: BaseException | None) -> MachineFault | None:
    """Returns the machine fault behind `error`, or `None`."""
    for cause in _causes(error):
        fault = _fault(cause)
        if fault is not None:
            return fault
    return None


def is_out_of_resources(error: BaseException) -> bool:
    """Returns whether too many files are open or memory is short, so that any file would fail as this one did."""
    fault = machine_fault_in(error)
    return fault is not None and fault.kind in (Kind.OPEN_FILES, Kind.PROCESSES, Kind.MEMORY)


def describe(
    fault: MachineFault,
    folders: Iterable[Path] = (),
    work: str = "",
    need: int | None = None,
    remedy: str = RESUME,
) -> str:
    """Returns one sentence: what the machine lacks, where, and what to do.

    Args:
        fault: The fault.
        folders: Folders that the failed work writes to; used if the error has no path.
        work: What failed, such as the name of a step.
        need: Estimated bytes that `work` needs on its disk.
        remedy: What to do once the fault is mended.
    """
    folders = [*folders, Path(tempfile.gettempdir()) if fault.kind is not Kind.DISK_FULL else Path("/tmp")]  # noqa: S108
    path = fault.path or folders[0]
    needs = f"; {work} needs about {megabytes(need)} MB" if work and need else f" ({work})" if work else ""
    if fault.kind is Kind.DISK_FULL:
        return f"{_fullness(fault.path, folders)}{needs}; free space there, then {remedy}"
    return _SENTENCES[fault.kind].format(
        path=path, owner=_owner(path), user=os.geteuid(), where=f" ({work})" if work else "", remedy=remedy
    )


def megabytes(size: float) -> str:
    """Formats bytes as megabytes, with a decimal below ten."""
    value = size / MEGABYTE
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"


_AGAIN = "; then {remedy}"
_SENTENCES = {
    Kind.QUOTA: "the disk quota of this user is used up at {path}{where}: remove files or raise the quota" + _AGAIN,
    Kind.FILE_SIZE: "{path} would exceed the file size limit of this machine{where}: raise the limit (`ulimit -f`), or "
    "take a file system for larger files" + _AGAIN,
    Kind.READ_ONLY: "{path} cannot be written{where}, because its file system or file is read-only: make it writable, "
    "or name another folder",
    Kind.NO_RIGHT: "no permission to use {path}{where}: {owner}; give user {user} permission to read and write there, "
    "or name another folder",
    Kind.NO_LOCKS: "the file system of {path} has no file locks{where}: name a folder on another one",
    Kind.NOT_A_FOLDER: "a part of {path} is a file or a link to nothing, not a folder{where}: remove it, or name "
    "another folder",
    Kind.LONG_NAME: "the path {path} is longer than this file system allows{where}: name a folder with a shorter path",
    Kind.OPEN_FILES: "too many files are open{where}: raise the limit (`ulimit -n 4096`)" + _AGAIN,
    Kind.PROCESSES: "this user may not start more threads or processes on this machine{where}: raise the limit "
    "(`ulimit -u`) or end other programs" + _AGAIN,
    Kind.MEMORY: "this machine does not have enough memory{where}: end other programs, or lower trainer.batch_size, "
    "transform.height and transform.width, or data.limits.max_pixels" + _AGAIN,
    Kind.BROKEN_DISK: "the disk of {path} reported an input/output error{where}: check the "
    "disk or the network share, and its free space" + _AGAIN,
}


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yields `error` and all errors in its chain of causes, including Beam's errors per file."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        error = waiting.pop(0)
        if error is None or id(error) in seen:
            continue
        seen.add(id(error))
        yield error
        details = getattr(error, "exception_details", None)
        inner = list(details.values()) if isinstance(details, dict) else []
        waiting += [e for e in (error.__cause__, error.__context__, *inner) if isinstance(e, BaseException)]


def _fault(error: BaseException) -> MachineFault | None:
    text = str(error)
    if isinstance(error, MemoryError):
        return MachineFault(Kind.MEMORY, None)
    if isinstance(error, OSError) and error.errno in _NUMBERS:
        name = error.filename if isinstance(error.filename, (str, bytes)) else None
        path = Path(os.fsdecode(name)) if name else _path_in(text)
        if error.errno == errno.EEXIST and path is not None and path.is_dir():
            return None
        return _at(_NUMBERS[error.errno], path)
    for phrase, kind in _SQLITE_TEXTS.items():
        if phrase in text:
            return MachineFault(kind, _path_in(text))
    return next((_at(kind, _path_in(text)) for phrase, kind in _TEXTS.items() if phrase in text), None)


def _at(kind: Kind, path: Path | None) -> MachineFault | None:
    """Returns the fault, unless it concerns a path and none is known: a socket may be refused too."""
    return MachineFault(kind, path) if path or kind not in _OF_A_PATH else None


def _path_in(text: str) -> Path | None:
    for match in (*_QUOTED_PATH.finditer(text), *_PATH.finditer(text)):
        path = Path(next(part for part in (*match.groups(), match[0]) if part))
        if path.parent != Path("/") and _existing(path) != Path("/"):
            return path
    return None


def _existing(path: Path) -> Path:
    """Returns the nearest existing parent of `path`, or `path`."""
    for part in (path, *path.parents):
        if os.path.lexists(part):
            return part
    return Path("/")


def _fullness(path: Path | None, folders: Iterable[Path]) -> str:
    """Returns which disk is full: that of `path`, or the fullest of those that `folders` are on."""
    if path is None:
        folder = _existing(min(folders, key=_free))
    else:  # Prefers a folder that the user knows, if it is on the same disk.
        device = _existing(path).lstat().st_dev
        folder = next((known for known in map(_existing, folders) if known.lstat().st_dev == device), _existing(path))
    return f"the disk of {folder} is full: {describe_room(folder)}"


def describe_room(folder: Path) -> str:
    """Describes what is left on the disk of `folder`, which need not exist yet: bytes, or if there is room, inodes."""
    status = os.statvfs(_existing(folder))
    if status.f_files and not status.f_favail and status.f_bavail:
        return f"it cannot hold more files (0 of {status.f_files} inodes are left)"
    usage = shutil.disk_usage(_existing(folder))
    return f"{megabytes(usage.free)} of {megabytes(usage.total)} MB are left"


def _free(folder: Path) -> float:
    """Returns the free bytes; a failed step may have freed some, so that no disk need be full by now."""
    usage = shutil.disk_usage(_existing(folder))
    return usage.free if usage.total else math.inf


def _owner(path: Path) -> str:
    """Describes owner and mode of the nearest existing part of `path`."""
    existing = _existing(path)
    status = existing.lstat()
    return f"{existing} belongs to user {status.st_uid} and has the mode {status.st_mode & 0o7777:o}"
