"""The file that a command writes: an error names it and the option, and comes before the work."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from common.errors import UserError


def check_writable(path: Path) -> None:
    """Raises `UserError` if the file cannot be written; creates its folder, and leaves the file as it was."""
    is_new = not path.exists()
    with errors_name_the_file(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("a").close()
        if is_new:
            path.unlink()


@contextlib.contextmanager
def errors_name_the_file(path: Path) -> Iterator[None]:
    """Turns an error of the system into a sentence with the file and the option."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}; name another file with --out") from None
