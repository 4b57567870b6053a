"""Bytes of an image with any number of bands at full depth, as records hold it.

No image format that TensorFlow decodes holds five bands or floating point.  The layout is little-endian: `MAGIC`, four
uint32 (index of the depth in `DEPTHS`, height, width, bands), and the samples [H, W, bands], compressed by zlib.  The
samples are stored by bytes: all low bytes, then all high ones, which compresses better than sample by sample.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

MAGIC = b"\x93SEGBND\x01"
HEADER_BYTES = len(MAGIC) + 16
DEPTHS = ("uint8", "uint16", "float32")
"""Types of samples, by their index in the header."""
MAX_BANDS = 16

_LEVEL = 3  # As for PNGs: some percent larger than zlib's default, and much faster.


def pack_bands(image_HWC: npt.NDArray[Any]) -> bytes:
    """Returns the bytes of an image [H, W, bands] whose type is one of `DEPTHS`; equal images have equal bytes."""
    depth = DEPTHS.index(image_HWC.dtype.name)
    little_N = np.ascontiguousarray(image_HWC, image_HWC.dtype.newbyteorder("<")).reshape(-1)
    planes = little_N.view(np.uint8).reshape(-1, little_N.itemsize).T
    return MAGIC + struct.pack("<4I", depth, *image_HWC.shape) + zlib.compress(planes.tobytes(), _LEVEL)


def unpack_bands(data: bytes) -> npt.NDArray[Any]:
    """Returns the image [H, W, bands] of `pack_bands`; raises `ValueError` if the bytes are not such an image."""
    if not data.startswith(MAGIC) or len(data) < HEADER_BYTES:
        raise ValueError("the bytes are not an image of bands")
    depth, *shape = struct.unpack_from("<4I", data, len(MAGIC))
    dtype = np.dtype(DEPTHS[depth]).newbyteorder("<")
    planes = np.frombuffer(zlib.decompress(data[HEADER_BYTES:]), np.uint8).reshape(dtype.itemsize, -1)
    return np.ascontiguousarray(planes.T).view(dtype).reshape(shape).astype(dtype.newbyteorder("="))
