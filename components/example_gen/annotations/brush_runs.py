"""Decodes the run-length encoding of Label Studio's brush (the format of the npm package @thi.ng/rle-pack).

A stream of bits: the number of values (32 bits), the bits of a value less one (5), four bits of lengths less one (4
each), and then blocks.  A block is a flag (1 bit), which of the four lengths it has (2), its number of values less one
(in that many bits), and one value if the flag is set, which all of them have, or each of them if it is not.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_CHANNELS = 4  # Red, green, blue and alpha of each pixel; alpha is the mask.
_OPAQUE = 128


class BrushError(ValueError):
    """The encoding is damaged or not for this image; the message continues `annotation 17 …`."""


def decode_brush(data: bytes, width: int, height: int) -> npt.NDArray[np.bool_]:
    """The pixels [H, W] that are painted; raises `BrushError` if `data` is not for an image of that size."""
    values = width * height * _CHANNELS
    bits = _Bits(data)
    stated = bits.number(32)
    if stated != values:
        raise BrushError(f"has a brush of {stated} values, but an image of {width}×{height} pixels has {values}")
    word = bits.number(5) + 1
    sizes = [bits.number(4) + 1 for _ in range(4)]
    out_N = np.zeros(values, np.uint8)
    start = 0
    while start < values:
        is_run = bits.number(1)
        stop = start + bits.number(sizes[bits.number(2)]) + 1
        if stop > values:
            raise BrushError("has a brush whose runs are longer than the image")
        out_N[start:stop] = min(bits.number(word), 255) if is_run else bits.numbers(stop - start, word)
        start = stop
    is_set: npt.NDArray[np.bool_] = out_N.reshape(height, width, _CHANNELS)[..., 3] >= _OPAQUE
    return is_set


class _Bits:
    """Reads numbers of any number of bits, the highest bit first."""

    def __init__(self, data: bytes) -> None:
        self._bits_N = np.unpackbits(np.frombuffer(data, np.uint8))
        self._data = data
        self._place = 0

    def number(self, size: int) -> int:
        """Returns the next number; raises `BrushError` at the end of the data."""
        stop = self._advance(size)
        last = -(-stop // 8)
        window = int.from_bytes(self._data[(stop - size) // 8 : last], "big")
        return window >> (last * 8 - stop) & (1 << size) - 1

    def numbers(self, count: int, size: int) -> npt.NDArray[np.uint8]:
        """Returns the next numbers, 255 at most."""
        stop = self._advance(count * size)
        weights = 2 ** np.arange(size - 1, -1, -1, dtype=np.int64)
        found_N = self._bits_N[stop - count * size : stop].reshape(count, size) @ weights
        return np.minimum(found_N, 255).astype(np.uint8)

    def _advance(self, size: int) -> int:
        self._place += size
        if self._place > self._bits_N.size:
            raise BrushError("has a brush that is cut off")
        return self._place
