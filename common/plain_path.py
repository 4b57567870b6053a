"""Aliases without wildcard characters for local paths that have some.

Beam, TFX and TensorFlow treat the paths that they are given as patterns: `[1]` matches `1`, and there is no way to
quote it.  TensorFlow does so even when it restores a checkpoint.  A symbolic link with a plain name stands for such a
folder.  Its place depends only on the folder and the user, so that the paths in ML Metadata stay valid.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from common.errors import UserError

_WILDCARD = re.compile(r"[*?\[\]\\\x00-\x1f]")
_ALIAS = re.compile(r"/[^\s'\":]*/segpipe-\d+/[0-9a-f]{16}\b")
_PLACES = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108  # A folder that only the user can write is created in it.


def is_plain(path: str | Path) -> bool:
    """Returns whether no library treats `path` as a pattern."""
    return _WILDCARD.search(str(path)) is None


def plain_path(path: str | Path) -> Path:
    """Returns `path`, or an alias of it if it has wildcard characters; for a file, its folder gets the alias.

    The alias outlives the process.  `path` need not exist yet.

    Raises:
        UserError: the alias cannot be made, or the file's own name has a wildcard character.
    """
    path = Path(path)
    if is_plain(path):
        return path
    path = path.absolute()
    if path.is_file() and is_plain(path.name):
        return plain_path(path.parent) / path.name
    for place in _places():
        with contextlib.suppress(OSError):
            return _alias(_own_folder(place), path)
    raise UserError(
        f"{path} has characters that TensorFlow takes for wildcards, and no folder for an alias without them can be "
        f"written ({', '.join(_PLACES)}); name a path without * ? [ ] and \\"
    )


def plain_uri(uri: str) -> str:
    """Applies `plain_path` to a local path; the URI of a bucket stays as it is."""
    return uri if "://" in uri else str(plain_path(uri))


def without_aliases(text: str) -> str:
    """Replaces each alias in a message by the path that it stands for."""
    return _ALIAS.sub(lambda alias: _target(alias[0]), text)


@contextlib.contextmanager
def plain_temporary_files() -> Iterator[None]:
    """Gives temporary files, also those of libraries and child processes, plain paths if TMPDIR has wildcards."""
    given, before = os.environ.get("TMPDIR"), tempfile.tempdir
    if given is None or is_plain(given):
        yield
        return
    try:
        os.environ["TMPDIR"] = tempfile.tempdir = str(plain_path(given))
        yield
    finally:
        os.environ["TMPDIR"], tempfile.tempdir = given, before


def _target(alias: str) -> str:
    return str(Path(alias).readlink()) if Path(alias).is_symlink() else alias


def _places() -> Iterator[str]:
    yield from _PLACES
    given = os.environ.get("TMPDIR", "")
    if given and is_plain(given):
        yield given


def _own_folder(place: str) -> Path:
    """Returns a folder that only this user may write: who can change a link in it chooses where a run writes."""
    folder = Path(place, f"segpipe-{os.geteuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if status.st_uid != os.geteuid() or status.st_mode & 0o170022 != 0o040000:
        raise PermissionError(f"{folder} belongs to another user")
    return folder


def _alias(folder: Path, target: Path) -> Path:
    name = hashlib.sha256(os.fsencode(target)).hexdigest()[:16]
    link = folder / name
    if not (link.is_symlink() and link.readlink() == target):
        new = folder / f"{name}-{uuid.uuid4().hex}"
        new.symlink_to(target)
        new.replace(link)
    return link
