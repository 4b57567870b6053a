"""Tensors of the Open Inference Protocol as raw bytes: little-endian, row by row, without padding.

An element of the type BYTES has its length in front of it, as an unsigned integer of 32 bits. Declared lengths and
shapes are not trusted: nothing is allocated for them.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Sequence

import numpy as np

BYTES = "BYTES"
_NUMPY = {
    "BOOL": "?",
    "UINT8": "u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
}
_DATATYPES = {np.dtype(code): name for name, code in _NUMPY.items()} | {np.dtype(object): BYTES}
_LENGTH = struct.Struct("<I")


def datatype_of(values: np.ndarray) -> str:
    """Returns the protocol's name of an array's type; an array of objects holds byte strings."""
    return _DATATYPES[values.dtype.newbyteorder("<") if values.dtype != object else values.dtype]


def pack(values: np.ndarray) -> bytes:
    """Returns an array's raw bytes."""
    datatype = datatype_of(values)
    if datatype == BYTES:
        return pack_bytes(values.ravel().tolist())
    return values.astype(_NUMPY[datatype], copy=False).tobytes()


def unpack(datatype: str, shape: Sequence[int], data: bytes) -> np.ndarray:
    """Returns the array of raw bytes.

    Raises:
        ValueError: the datatype is unknown, or the bytes are not as many as the shape says.
    """
    count = element_count(shape)
    if datatype == BYTES:
        strings = unpack_bytes(data, count)
        if len(strings) != count:
            raise ValueError(f"its shape says {count} values, and it holds {len(strings)}")
        values = np.empty(count, object)
        values[:] = strings
        return values.reshape(shape)
    if datatype not in _NUMPY:
        raise ValueError(f"unknown datatype {datatype[:16]!r}")
    dtype = np.dtype(_NUMPY[datatype])
    if len(data) != count * dtype.itemsize:
        raise ValueError(f"its shape says {count * dtype.itemsize} bytes, and it holds {len(data)}")
    return np.frombuffer(data, dtype).reshape(shape)


def pack_bytes(values: Iterable[bytes]) -> bytes:
    """Returns the raw bytes of a BYTES tensor."""
    return b"".join(part for value in values for part in (_LENGTH.pack(len(value)), value))


def unpack_bytes(data: bytes | memoryview, limit: int) -> list[bytes]:
    """Returns the elements of a BYTES tensor.

    Raises:
        ValueError: an element is cut off, or there are more than `limit`.
    """
    values: list[bytes] = []
    at = 0
    while at < len(data):
        if len(values) == limit:
            raise ValueError(f"it holds more than {limit} elements")
        if len(data) - at < _LENGTH.size:
            raise ValueError(f"it ends within the length of element {len(values)}")
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if length > len(data) - at:
            raise ValueError(f"element {len(values)} says {length} bytes, and {len(data) - at} follow")
        values.append(bytes(data[at : at + length]))
        at += length
    return values


def element_count(shape: Sequence[int]) -> int:
    """Returns the number of values in a shape.

    Raises:
        ValueError: a dimension is negative.
    """
    if any(size < 0 for size in shape):
        raise ValueError("a dimension of its shape is negative")
    return math.prod(shape)
