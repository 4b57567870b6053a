"""Reader of .safetensors files: named arrays behind a header of JSON, nothing that is executed.

Format: the header's length in 8 bytes (little-endian), the header with type, shape and offsets of each array, then the
arrays.  The header is checked against the file's size before an array is read.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from common.errors import UserError

_LENGTH_BYTES = 8
_MOST_HEADER_BYTES = 100_000_000
"""As in the format's own implementation."""
_TYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),
}
_PICKLES = (b"PK\x03\x04", b"\x80")
"""Beginnings of PyTorch's own files, since 1.6 and before."""


class _Entry(NamedTuple):
    type: str
    shape: tuple[int, ...]
    begin: int
    end: int


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """Returns the floating-point arrays of a file by name, as float32.

    Raises:
        UserError: the file cannot be read, or is not such a file.
    """
    try:
        with path.open("rb") as file:
            return _read(file, path)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; name another .safetensors file") from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} is not a .safetensors file ({error}); name another, or download it again") from None


def _read(file: BinaryIO, path: Path) -> dict[str, np.ndarray]:
    start = file.read(_LENGTH_BYTES)
    if start.startswith(_PICKLES):
        raise UserError(
            f"{path} is a pickle of PyTorch, which can run code when it is read; name a .safetensors file instead"
        )
    length, size = int.from_bytes(start, "little"), path.stat().st_size
    first = _LENGTH_BYTES + length
    if length > min(_MOST_HEADER_BYTES, size):
        raise ValueError(f"its header would have {length} bytes")
    header = json.loads(file.read(length))
    entries = {name: _entry(name, raw, size - first) for name, raw in header.items() if name != "__metadata__"}
    return {name: _array(file, first, entry) for name, entry in entries.items() if entry.type in _TYPES}


def _entry(name: str, raw: dict[str, Any], size: int) -> _Entry:
    """Returns an entry of the header whose bytes are in the file, and as many as its shape needs."""
    entry = _Entry(str(raw["dtype"]), tuple(map(int, raw["shape"])), *map(int, raw["data_offsets"]))
    if not 0 <= entry.begin <= entry.end <= size:
        raise ValueError(f"{name} is beyond its end")
    known = _TYPES.get(entry.type)
    if known and (
        min(entry.shape, default=0) < 0 or math.prod(entry.shape) * known.itemsize != entry.end - entry.begin
    ):
        raise ValueError(f"{name} has another size than its shape says")
    return entry


def _array(file: BinaryIO, first: int, entry: _Entry) -> np.ndarray:
    file.seek(first + entry.begin)
    values = np.frombuffer(file.read(entry.end - entry.begin), _TYPES[entry.type])
    if entry.type == "BF16":  # The upper half of a float32.
        values = (values.astype(np.uint32) << 16).view(np.float32)
    return values.astype(np.float32).reshape(entry.shape)
