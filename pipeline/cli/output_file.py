"""The file that a command writes: an error names it and the option, comes before the work, and leaves no half file."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

from common.errors import UserError

_IN_PLACE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY)
"""Numbers of errors if a folder takes no new file, or a file is a mount: only the file itself can be written."""


def check_writable(path: Path, option: str = "--out") -> None:
    """Raises `UserError` if the file cannot be written; creates its folder, and leaves the file as it was."""
    with errors_name_the_file(path, option):
        is_new = not path.exists()
        if not is_new and not path.is_file() and not path.is_dir():
            return  # A device or a pipe: opening it may wait for its reader.
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("a").close()
        if is_new:
            path.unlink()


def check_all_writable(files: Mapping[str, Path | None], source: str | None = None) -> None:
    """Checks the files that options name, by option, `None` if one is not given.

    Raises:
        UserError: a file cannot be written, two options name the same file, or one names the `source` that is read.
    """
    owners: dict[Path, str] = {}
    for option, path in files.items():
        if path is None:
            continue
        place = path.absolute().resolve()
        if source is not None and place == Path(source).absolute().resolve():
            raise UserError(f"{option} {path} is the file that is read, and would be overwritten; name another file")
        if place in owners:
            raise UserError(f"{owners[place]} and {option} name the same file, {path}; name another file with {option}")
        owners[place] = option
    for path, option in ((path, option) for option, path in files.items() if path is not None):
        check_writable(path, option)


def write_file(path: Path, content: bytes | str, option: str = "--out") -> None:
    """Writes a file as `staged_file` does.

    Raises:
        UserError: it cannot be written.
    """
    with staged_file(path, option) as staged:
        staged.write_bytes(content.encode() if isinstance(content, str) else content)


@contextlib.contextmanager
def staged_file(path: Path, option: str = "--out") -> Iterator[Path]:
    """Yields the file to write, which replaces `path` at the end: an interruption or a full disk leaves what was there.

    Raises:
        UserError: it cannot be written.
    """
    with errors_name_the_file(path, option):
        if path.exists() and not path.is_file():
            yield path
            return
        target = path.resolve()  # What a link leads to is replaced, not the link.
        staged = target.with_name(f".segpipe-{uuid.uuid4().hex}.part")
        if not _takes(staged):
            yield target
            return
        try:
            yield staged
            _replace(target, staged)
        finally:
            staged.unlink(missing_ok=True)


def _takes(new: Path) -> bool:
    """Makes an empty file, and returns whether its folder takes one."""
    try:
        new.touch()
    except OSError as error:
        if error.errno not in _IN_PLACE:
            raise
        return False
    return True


def _replace(target: Path, staged: Path) -> None:
    try:
        if target.exists():
            shutil.copymode(target, staged)
        staged.replace(target)
    except OSError as error:
        if error.errno not in _IN_PLACE:
            raise
        shutil.copyfile(staged, target)


@contextlib.contextmanager
def errors_name_the_file(path: Path, option: str = "--out") -> Iterator[None]:
    """Turns an error of the system into a sentence with the file and the option."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)  # HDF5 has a text of several lines of its own.
        raise UserError(f"cannot write {path}: {reason}; name another file with {option}") from None
