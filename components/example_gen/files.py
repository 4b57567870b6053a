"""The files below a root, on a disk or in a bucket: listed, looked up and read, never outside the root."""

from __future__ import annotations

import os
import posixpath
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import Protocol

from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems

from components.errors import UserError
from components.example_gen.quarantine import Reason
from components.example_gen.rejection import Rejected
from components.machine_faults import is_out_of_resources

_SHOWN_NAMES = 8

Problem = tuple[Reason, str]


@dataclass(frozen=True)
class FileInfo:
    """A file below the root: its path relative to the root, its size in bytes, and the time of its last change.

    `problem` says why it must not be read (it leaves the root, it is a dangling link); size and time are then void.
    """

    path: str
    size: int
    changed: float
    problem: Problem | None = None


class Folder(Protocol):
    """A root folder and what may be asked of it; paths are relative to it, with `/`."""

    root: str

    def walk(self, prefix: str) -> Iterator[FileInfo]:
        """Every file below the folder `prefix`, in the order of their paths."""

    def look_up(self, paths: Iterable[str]) -> dict[str, FileInfo]:
        """Those of `paths` that exist."""

    def list_levels(self, prefix: str, names: Sequence[re.Pattern[str]]) -> Iterator[str]:
        """The paths, of folders and files, whose names below `prefix` match `names`, a pattern for each level."""

    def read(self, path: str, max_bytes: int) -> bytes:
        """The bytes of one file; raises `Rejected` where it is larger than `max_bytes` or cannot be read."""


def open_folder(root: str) -> Folder:
    """The folder at `root`: a local path, or the address of a bucket that a Beam file system knows (gs://, s3://).

    Raises `UserError` where there is no such folder.
    """
    return RemoteFolder(root) if "://" in root else LocalFolder(root)


def escape_of(path: str) -> str | None:
    """Why a manifest's `path` leaves the root by its very text, or None where it does not."""
    if "\0" in path:
        return f"{path!r} holds a zero character"
    if path.startswith(("/", "\\")) or re.match(r"[A-Za-z]:[\\/]", path):
        return f"{path!r} is an absolute path"
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", path):
        return f"{path!r} is an address of its own"
    if ".." in re.split(r"[/\\]", path):
        return f"{path!r} climbs out of its folder"
    return None


def names(found: Iterable[str]) -> str:
    """The first few of `found` for an error message, or `nothing`."""
    listed = sorted(found)
    more = f" and {len(listed) - _SHOWN_NAMES} more" if len(listed) > _SHOWN_NAMES else ""
    return ", ".join(listed[:_SHOWN_NAMES]) + more if listed else "nothing"


def _read(address: str, path: str, max_bytes: int) -> bytes:
    try:
        with FileSystems.open(address, compression_type=CompressionTypes.UNCOMPRESSED) as file:
            data = file.read(max_bytes + 1)
    except (OSError, BeamIOError) as error:
        if is_out_of_resources(error):
            raise
        raise Rejected(Reason.UNREADABLE, f"{path} cannot be read: {error}") from error
    if len(data) > max_bytes:
        raise Rejected(Reason.TOO_LARGE, f"{path} has more than the {max_bytes} bytes that a file may have")
    return data


class LocalFolder:
    """A folder of this machine.

    Listing asks the operating system instead of Beam's local file system, which neither tells links from files nor
    times below a second; files are opened through Beam.
    """

    def __init__(self, root: str) -> None:
        real = Path(root).expanduser().resolve()
        if not real.is_dir():
            raise UserError(f"the data's root {root} is not a folder{_instead(real)}")
        self.root = str(real)

    def walk(self, prefix: str) -> Iterator[FileInfo]:
        """See `Folder.walk`; links are followed where they stay inside the root."""
        start = Path(self.root, prefix)
        problem = self._link_problem(prefix, start)
        if problem and problem[0] is Reason.OUTSIDE_ROOT:
            yield FileInfo(_utf8(prefix), 0, 0, problem)
        elif start.is_dir():
            yield from self._walk(prefix, frozenset())

    def _walk(self, folder: str, above: frozenset[str]) -> Iterator[FileInfo]:
        real = os.path.realpath(os.path.join(self.root, folder))
        if real in above:  # A link to a folder that holds it would be followed for ever.
            return
        try:
            with os.scandir(real) as entries:
                ordered = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            yield FileInfo(_utf8(folder), 0, 0, (Reason.UNREADABLE, f"{folder} cannot be listed: {error.strerror}"))
            return
        for entry in ordered:
            path = posixpath.join(folder, entry.name)
            problem = self._link_problem(path, Path(entry.path)) if entry.is_symlink() else None
            if problem is None and entry.is_dir():
                yield from self._walk(path, above | {real})
            else:
                yield _info(path, entry.stat, problem)

    def look_up(self, paths: Iterable[str]) -> dict[str, FileInfo]:
        """See `Folder.look_up`."""
        real_folders: dict[str, str] = {}
        found: dict[str, FileInfo] = {}
        for path in paths:
            folder, name = posixpath.split(path)
            if folder not in real_folders:
                real_folders[folder] = os.path.realpath(os.path.join(self.root, folder))
            full = Path(real_folders[folder], name)
            if os.path.lexists(full):
                found[path] = _info(path, full.stat, self._link_problem(path, full))
        return found

    def list_levels(self, prefix: str, names: Sequence[re.Pattern[str]]) -> Iterator[str]:
        """See `Folder.list_levels`; looks into no other folder."""
        first, *rest = names
        folder = Path(self.root, prefix)
        if self._link_problem(prefix, folder):
            return
        try:
            with os.scandir(folder) as entries:
                found = sorted(entry.name for entry in entries if first.fullmatch(entry.name))
        except OSError:  # What is no folder, or not to be entered, holds none.
            return
        for name in found:
            path = posixpath.join(prefix, name)
            if rest:
                yield from self.list_levels(path, rest)
            else:
                yield path

    def read(self, path: str, max_bytes: int) -> bytes:
        """See `Folder.read`."""
        return _read(os.path.join(self.root, path), path, max_bytes)

    def _link_problem(self, path: str, full: Path) -> Problem | None:
        real = os.path.realpath(full)
        if os.path.commonpath([real, self.root]) != self.root:
            return Reason.OUTSIDE_ROOT, f"{_utf8(path)} is a link that leaves the root {self.root}"
        if not Path(real).exists():
            return Reason.UNREADABLE, f"{_utf8(path)} is a link to nothing"
        return None


class RemoteFolder:
    """A folder of a bucket, reached through Beam's file systems."""

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/")
        if next(self._match("**", limit=1), None) is None:
            raise UserError(f"the data's root {root} holds no file; check its address and the right to list it")

    def walk(self, prefix: str) -> Iterator[FileInfo]:
        """See `Folder.walk`."""
        infos = self._match(posixpath.join(prefix, "**"))
        yield from sorted(infos, key=lambda info: info.path)

    def look_up(self, paths: Iterable[str]) -> dict[str, FileInfo]:
        """See `Folder.look_up`; lists each folder once, for a request a file would take minutes."""
        wanted: defaultdict[str, set[str]] = defaultdict(set)
        for path in paths:
            wanted[posixpath.dirname(path)].add(path)
        return {
            info.path: info
            for folder, inside in wanted.items()
            for info in self._match(posixpath.join(folder, "*"))
            if info.path in inside
        }

    def list_levels(self, prefix: str, names: Sequence[re.Pattern[str]]) -> Iterator[str]:
        """See `Folder.list_levels`; lists all below `prefix`, for Beam's file systems know no levels."""
        seen = set()
        for info in self._match(posixpath.join(prefix, "**")):
            below = info.path.removeprefix(prefix).lstrip("/").split("/")[: len(names)]
            path = posixpath.join(prefix, *below)
            if path not in seen and len(below) == len(names):
                seen.add(path)
                if all(pattern.fullmatch(name) for pattern, name in zip(names, below, strict=True)):
                    yield path

    def read(self, path: str, max_bytes: int) -> bytes:
        """See `Folder.read`."""
        return _read(f"{self.root}/{path}", path, max_bytes)

    def _match(self, pattern: str, limit: int | None = None) -> Iterator[FileInfo]:
        try:
            [matched] = FileSystems.match([f"{self.root}/{pattern}"], [limit] if limit else None)
        except (BeamIOError, ValueError) as error:
            raise UserError(f"the data's root {self.root} cannot be listed: {error}") from error
        for file in matched.metadata_list:
            path = file.path.removeprefix(self.root + "/")
            if path and not path.endswith("/"):  # Object stores keep empty objects that stand for folders.
                yield FileInfo(path, file.size_in_bytes, file.last_updated_in_seconds)


def _info(path: str, stat: Callable[[], os.stat_result], problem: Problem | None) -> FileInfo:
    shown = _utf8(path)
    if problem is None and shown != path:
        problem = Reason.UNREADABLE, f"the name {shown} is not UTF-8"
    if problem is None:
        try:
            status = stat()
        except OSError as error:
            problem = Reason.UNREADABLE, f"{path} cannot be looked at: {error.strerror}"
        else:
            if S_ISREG(status.st_mode):
                return FileInfo(path, status.st_size, status.st_mtime_ns)
            problem = Reason.UNREADABLE, f"{path} is not a regular file"
    return FileInfo(shown, 0, 0, problem)


def _instead(path: Path) -> str:
    """What there is instead of `path`: the entries of the nearest folder above it that exists."""
    above = next(folder for folder in path.parents if folder.is_dir())
    try:
        return f"; {above} holds {names(entry.name for entry in above.iterdir())}"
    except OSError:
        return ""


def _utf8(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode("utf-8")
