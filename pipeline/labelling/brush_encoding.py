"""Encodes a mask in the run-length encoding of Label Studio's brush.

The inverse of `components.example_gen.annotations.brush_runs`, where the format is described.  A pixel is four values,
red, green, blue and alpha, which are all 255 where it is painted.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_WORD = 8
_LENGTH_BITS = (3, 4, 8, 16)
_LONGEST = 1 << _LENGTH_BITS[-1]
_CHANNELS = 4
_PAINTED = 255


def encode_brush(mask_HW: npt.NDArray[np.bool_]) -> list[int]:
    """Returns the bytes of the encoding, as the list that Label Studio's JSON holds."""
    flat_N = mask_HW.ravel()
    starts = np.concatenate([[0], np.flatnonzero(np.diff(flat_N)) + 1])
    lengths = np.diff(np.append(starts, flat_N.size)) * _CHANNELS
    bits = [_number(flat_N.size * _CHANNELS, 32), _number(_WORD - 1, 5)]
    bits += [_number(length - 1, 4) for length in _LENGTH_BITS]
    for is_painted, length in zip(flat_N[starts].tolist(), lengths.tolist(), strict=True):
        value = _number(_PAINTED if is_painted else 0, _WORD)
        bits += [_block(min(_LONGEST, length - done), value) for done in range(0, length, _LONGEST)]
    return list(np.packbits(np.frombuffer("".join(bits).encode(), np.uint8) - ord("0")).tolist())


def _block(length: int, value: str) -> str:
    """Returns the bits of a run: the flag of runs, which size its length has, the length less one, and the value."""
    index = next(index for index, size in enumerate(_LENGTH_BITS) if length <= 1 << size)
    return f"1{_number(index, 2)}{_number(length - 1, _LENGTH_BITS[index])}{value}"


def _number(value: int, size: int) -> str:
    return f"{value:0{size}b}"
