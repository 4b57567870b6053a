"""Images of bands, for models that take other than 8-bit RGB."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

_START = b"\x93SEGBND\x02"
"""The server's `common.band_image`: magic bytes, and that the samples are not compressed."""
_DEPTHS = ("uint8", "uint16", "float32")
_COLOURS = 3
_DARK, _BRIGHT = 2, 98


@dataclass(frozen=True, eq=False)
class Bands:
    """An image of bands, in the order that the model was trained with.

    Attributes:
        pixels: [H, W, bands], uint8, uint16 or float32 as in the training data, such as `tifffile.imread` gives it.

    Raises:
        TypeError, ValueError: it has another type or shape.
    """

    pixels: npt.NDArray[Any]

    def __post_init__(self) -> None:
        """Checks type and shape."""
        if self.pixels.dtype.name not in _DEPTHS:
            raise TypeError(f"bands are {', '.join(_DEPTHS[:-1])} or {_DEPTHS[-1]}, not {self.pixels.dtype}")
        if self.pixels.ndim != 3 or 0 in self.pixels.shape:
            raise ValueError(f"bands have the shape [H, W, bands], not {list(self.pixels.shape)}")

    def encoded(self) -> bytes:
        """Returns the bytes that are sent."""
        header = struct.pack("<4I", _DEPTHS.index(self.pixels.dtype.name), *self.pixels.shape)
        return _START + header + np.ascontiguousarray(self.pixels, self.pixels.dtype.newbyteorder("<")).tobytes()


def is_encoded(data: bytes) -> bool:
    """Whether the bytes are those of `Bands.encoded`."""
    return data.startswith(_START)


def as_rgb(data: bytes) -> npt.NDArray[np.uint8]:
    """Returns a picture [H, W, 3] of encoded bands: the first three, or the first in grey, each stretched by itself."""
    depth, *shape = struct.unpack_from("<4I", data, len(_START))
    dtype = np.dtype(_DEPTHS[depth]).newbyteorder("<")
    pixels_HWC = np.frombuffer(data, dtype, offset=len(_START) + 16).reshape(shape)
    return np.broadcast_to(stretched(pixels_HWC), (*shape[:2], _COLOURS))


def stretched(pixels_HWC: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Returns the first three bands [H, W, 3], or the first one [H, W, 1] of fewer, each stretched by itself.

    The percentiles 2 and 98 become 0 and 255.
    """
    shown_HWC = pixels_HWC[..., : _COLOURS if pixels_HWC.shape[-1] >= _COLOURS else 1].astype(np.float64)
    low_C, high_C = np.percentile(shown_HWC, [_DARK, _BRIGHT], axis=(0, 1))
    share_HWC = np.clip((shown_HWC - low_C) / np.where(high_C > low_C, high_C - low_C, 1), 0, 1)
    return (share_HWC * 255).round().astype(np.uint8)
