"""A pair whose files are read when they are needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from components.example_gen.files import Folder
from components.example_gen.pairing import Pair
from components.example_gen.quarantine import Reason
from components.example_gen.rejection import RejectionError


class LazyPair(NamedTuple):
    """A pair with lazily read bytes; reading may raise `RejectionError`."""

    pair: Pair
    image: Callable[[], bytes]
    mask: Callable[[], bytes]


def read_limited(folder: Folder, path: str, size: int, max_bytes: int) -> bytes:
    """The bytes of a file of `size` as listed; raises `RejectionError` if it is over the limit or cannot be read."""
    if size > max_bytes:  # Nothing is read.
        raise RejectionError(Reason.TOO_LARGE, f"{path} has {size} bytes, over the limit of {max_bytes}")
    return folder.read(path, max_bytes)
