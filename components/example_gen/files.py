"""Access to the files below a root, on a disk or in a bucket: listing, lookup and reading.

Nothing outside the root is read, unless a link below it leads there and links may be followed.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import NamedTuple, Protocol

from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems

from common.errors import UserError
from common.machine_faults import is_out_of_resources
from components.example_gen.quarantine import Reason
from components.example_gen.rejection import RejectionError

_SHOWN_NAMES = 8

FOLLOW_LINKS = "write follow_links: true under data.source to read what lies outside the root"


class Problem(NamedTuple):
    """Reason why a file must not be read; see `Quarantined` for `cause` and `remedy`."""

    reason: Reason
    detail: str
    cause: str | None = None
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A file below the root: its path relative to the root, its size in bytes, and the time of its last change.

    `problem` is set if it must not be read (it leaves the root, it is a dangling link); size and time are then unset.
    """

    path: str
    size: int
    changed: float
    problem: Problem | None = None
    target: str = ""
    """Its real path, relative to the root if below it, if a link is on its path."""


class Folder(Protocol):
    """Interface of a root folder; paths are relative to it, with `/`."""

    root: str

    def walk(self, prefix: str) -> Iterator[FileInfo]:
        """Every file below the folder `prefix`, in the order of their paths."""

    def look_up(self, paths: Iterable[str]) -> dict[str, FileInfo]:
        """Those of `paths` that exist."""

    def relative(self, path: str) -> str | None:
        """Returns an absolute path or URI relative to the root; `None` if it is not below the root."""

    def list_levels(self, prefix: str, names: Sequence[re.Pattern[str]]) -> Iterator[str]:
        """The paths, of folders and files, whose names below `prefix` match `names`, a pattern for each level."""

    def read(self, path: str, max_bytes: int) -> bytes:
        """Returns the bytes of one file; raises `RejectionError` if it is larger than `max_bytes` or cannot be read."""


def open_folder(root: str, follow_links: bool = False) -> Folder:
    """Opens the folder at `root`: a local path, or the URI of a bucket that a Beam file system knows (gs://, s3://).

    Raises `UserError` if there is no such folder.
    """
    return RemoteFolder(root) if "://" in root else LocalFolder(root, follow_links)


def escape_of(path: str) -> str | None:
    """Returns why a manifest's `path` leaves the root by its text, or None if it does not."""
    if "\0" in path:
        return f"{path!r} holds a zero character"
    if path.startswith(("/", "\\")) or re.match(r"[A-Za-z]:[\\/]", path):
        return f"{path!r} is an absolute path"
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", path):
        return f"{path!r} is a URL"
    if ".." in re.split(r"[/\\]", path):
        return f"{path!r} contains '..'"
    return None


def top_level(folder: Folder) -> set[str]:
    """Returns what lies directly in `folder`, folders with a slash, for a message that names what is there instead."""
    return first_parts(info.path for info in folder.walk(""))


def first_parts(paths: Iterable[str]) -> set[str]:
    """Returns the first part of each path, with a slash if it is a folder."""
    return {path.split("/")[0] + ("/" if "/" in path else "") for path in paths}


def names(found: Iterable[str]) -> str:
    """Lists the first few of `found` for an error message, or `nothing`."""
    listed = sorted(found)
    more = f" and {len(listed) - _SHOWN_NAMES} more" if len(listed) > _SHOWN_NAMES else ""
    return ", ".join(listed[:_SHOWN_NAMES]) + more if listed else "nothing"


def read_file(address: str, path: str, max_bytes: int) -> bytes:
    """The bytes of the file at `address`, called `path` in messages.

    Raises `RejectionError` if it is larger than `max_bytes` or cannot be read.
    """
    try:
        with FileSystems.open(address, compression_type=CompressionTypes.UNCOMPRESSED) as file:
            data = file.read(max_bytes + 1)
    except (OSError, BeamIOError) as error:
        if is_out_of_resources(error):
            raise
        raise RejectionError(Reason.UNREADABLE, f"{path} cannot be read: {error}") from error
    if len(data) > max_bytes:
        raise RejectionError(Reason.TOO_LARGE, f"{path} has more than the {max_bytes} bytes that a file may have")
    return data


class LocalFolder:
    """A folder of this machine.

    Listing uses the operating system instead of Beam's local file system, which neither tells links from files nor has
    times below a second; files are opened through Beam.
    """

    def __init__(self, root: str, follow_links: bool = False) -> None:
        real = Path(root).expanduser().resolve()
        if not real.is_dir():
            raise UserError(f"the data's root {root} is not a folder{_instead(real)}")
        self.root = str(real)
        self._written = str(Path(root).expanduser().absolute())
        self._follow_links = follow_links

    def walk(self, prefix: str) -> Iterator[FileInfo]:
        """See `Folder.walk`; links are followed if they stay inside the root, or may leave it."""
        start = Path(self.root, prefix)
        left = _text_problem(prefix) or self._link_problem(prefix, start)
        if left and left.reason is Reason.OUTSIDE_ROOT:
            yield FileInfo(_utf8(prefix), 0, 0, left)
        elif start.is_dir():
            yield from self._walk(prefix, frozenset())

    def _walk(self, folder: str, above: frozenset[str]) -> Iterator[FileInfo]:
        real = os.path.realpath(os.path.join(self.root, folder))
        if real in above:  # A link to a folder that contains it would be followed forever.
            return
        try:
            with os.scandir(real) as entries:
                ordered = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            refused = Problem(Reason.UNREADABLE, f"{_utf8(folder)} cannot be listed: {error.strerror}")
            yield FileInfo(_utf8(folder), 0, 0, refused)
            return
        for entry in ordered:
            path = posixpath.join(folder, entry.name)
            problem = self._link_problem(path, Path(entry.path)) if entry.is_symlink() else None
            if problem is None and entry.is_dir():
                yield from self._walk(path, above | {real})
            else:
                yield _info(path, entry.stat, problem, self._target(path, entry.path, entry.is_symlink()))

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
                target = self._target(path, str(full), full.is_symlink())
                found[path] = _info(path, full.stat, self._link_problem(path, full), target)
        return found

    def relative(self, path: str) -> str | None:
        """See `Folder.relative`; links on the path to the root are resolved."""
        if not path.startswith("/") or ".." in path.split("/") or "\0" in path:
            return None
        plain = posixpath.normpath("/" + path.lstrip("/"))
        for root in (self._written, self.root):
            if plain.startswith(root.rstrip("/") + "/"):
                return os.path.relpath(plain, root)
        real = os.path.join(os.path.realpath(os.path.dirname(plain)), os.path.basename(plain))
        return os.path.relpath(real, self.root) if self._holds(real) else None

    def list_levels(self, prefix: str, names: Sequence[re.Pattern[str]]) -> Iterator[str]:
        """See `Folder.list_levels`; reads only matching folders."""
        first, *rest = names
        folder = Path(self.root, prefix)
        if self._link_problem(prefix, folder):
            return
        try:
            with os.scandir(folder) as entries:
                found = sorted(entry.name for entry in entries if first.fullmatch(entry.name))
        except OSError:  # Not a folder, or not readable: no names.
            return
        for name in found:
            path = posixpath.join(prefix, name)
            if rest:
                yield from self.list_levels(path, rest)
            else:
                yield path

    def read(self, path: str, max_bytes: int) -> bytes:
        """See `Folder.read`."""
        full = Path(self.root, path)
        if problem := self._link_problem(path, full):  # It may have become a link since it was listed.
            raise RejectionError(*problem)
        return read_file(str(full), path, max_bytes)

    def _link_problem(self, path: str, full: Path) -> Problem | None:
        real = os.path.realpath(full)
        if not self._follow_links and not self._holds(real):
            detail = f"{_utf8(path)} is a link that leaves the root {self.root}"
            return Problem(Reason.OUTSIDE_ROOT, detail, "is a link that leaves the root", FOLLOW_LINKS)
        if not Path(real).exists():
            return Problem(Reason.UNREADABLE, f"{_utf8(path)} is a link to nothing", "is a link to nothing")
        return None

    def _holds(self, real: str) -> bool:
        return os.path.commonpath([real, self.root]) == self.root

    def _target(self, path: str, full: str, is_link: bool) -> str:
        """See `FileInfo.target`; `full` has no links except in its last part."""
        real = os.path.realpath(full) if is_link else full
        if real == os.path.join(self.root, path):
            return ""
        return _utf8(os.path.relpath(real, self.root) if self._holds(real) else real)


class RemoteFolder:
    """A folder of a bucket, reached through Beam's file systems."""

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/")
        if next(self._match("**", limit=1), None) is None:
            raise UserError(f"the data's root {root} holds no file; check its address and the permission to list it")

    def walk(self, prefix: str) -> Iterator[FileInfo]:
        """See `Folder.walk`."""
        infos = self._match(posixpath.join(prefix, "**"))
        yield from sorted(infos, key=lambda info: info.path)

    def look_up(self, paths: Iterable[str]) -> dict[str, FileInfo]:
        """See `Folder.look_up`; lists each folder once, because one request per file would take minutes."""
        wanted: defaultdict[str, set[str]] = defaultdict(set)
        for path in paths:
            wanted[posixpath.dirname(path)].add(path)
        return {
            info.path: info
            for folder, inside in wanted.items()
            for info in self._match(posixpath.join(folder, "*"))
            if info.path in inside
        }

    def relative(self, path: str) -> str | None:
        """See `Folder.relative`."""
        below = path.removeprefix(self.root + "/")
        return below if below != path and not escape_of(below) else None

    def list_levels(self, prefix: str, names: Sequence[re.Pattern[str]]) -> Iterator[str]:
        """See `Folder.list_levels`; lists all files below `prefix`, because Beam's file systems have no levels."""
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
        return read_file(f"{self.root}/{path}", path, max_bytes)

    def _match(self, pattern: str, limit: int | None = None) -> Iterator[FileInfo]:
        try:
            [matched] = FileSystems.match([f"{self.root}/{pattern}"], [limit] if limit else None)
        except (BeamIOError, ValueError) as error:
            raise UserError(f"the data's root {self.root} cannot be listed: {error}") from error
        for file in matched.metadata_list:
            path = file.path.removeprefix(self.root + "/")
            if path and not path.endswith("/"):  # Object stores keep empty objects that stand for folders.
                yield FileInfo(path, file.size_in_bytes, file.last_updated_in_seconds)


def _text_problem(prefix: str) -> Problem | None:
    """Returns why the folder of a glob leaves the root by its text, which is an error even with links."""
    escape = escape_of(prefix)
    if escape is None:
        return None
    detail = f"{escape}: it leaves the root, to which globs are relative"
    remedy = "set root to a folder that holds images and masks, or link to them from it and write follow_links: true"
    return Problem(Reason.OUTSIDE_ROOT, detail, remedy=remedy)


def _info(path: str, stat: Callable[[], os.stat_result], problem: Problem | None, target: str) -> FileInfo:
    shown = _utf8(path)
    if problem is None and shown != path:
        problem = Problem(Reason.UNREADABLE, f"the name {shown} is not UTF-8", "has a name that is not UTF-8")
    if problem is None:
        try:
            status = stat()
        except OSError as error:
            problem = Problem(Reason.UNREADABLE, f"{path} cannot be inspected: {error.strerror}")
        else:
            if S_ISREG(status.st_mode):
                return FileInfo(path, status.st_size, status.st_mtime_ns, target=target)
            problem = Problem(Reason.UNREADABLE, f"{path} is not a regular file", "is not a regular file")
    return FileInfo(shown, 0, 0, problem, target)


def _instead(path: Path) -> str:
    """Lists the entries of the nearest existing folder above `path`."""
    above = next(folder for folder in path.parents if folder.is_dir())
    try:
        return f"; {above} holds {names(entry.name for entry in above.iterdir())}"
    except OSError:
        return ""


def _utf8(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode("utf-8")
