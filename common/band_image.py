"""Bytes of an image with any number of bands at full depth, as records hold it.

No image format that TensorFlow decodes holds five bands or floating point.  The layout is little-endian: `MAGIC`, a
byte for how the samples are stored, four uint32 (index of the depth in `DEPTHS`, height, width, bands), and the samples
[H, W, bands].

In records they are compressed by zlib, and stored by bytes: all low bytes, then all high ones, which compresses better
than sample by sample.  In requests they are stored as they are: a server knows their size before it allocates it.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

MAGIC = b"\x93SEGBND"
COMPRESSED, PLAIN = b"\x01", b"\x02"
"""How the samples are stored."""
HEADER_BYTES = len(MAGIC) + 1 + 16
DEPTHS = ("uint8", "uint16", "float32")
"""Types of samples, by their index in the header."""
MAX_BANDS = 16

_LEVEL = 3  # As for PNGs: some percent larger than zlib's default, and much faster.


def pack_bands(image_HWC: npt.NDArray[Any]) -> bytes:
    """Returns the compressed bytes of an image [H, W, bands] whose type is one of `DEPTHS`.

    Equal images have equal bytes.
    """
    little_N = _little_endian(image_HWC)
    planes = little_N.view(np.uint8).reshape(-1, little_N.itemsize).T
    return _header(image_HWC, COMPRESSED) + zlib.compress(planes.tobytes(), _LEVEL)


def pack_plain(image_HWC: npt.NDArray[Any]) -> bytes:
    """Returns the bytes of an image as requests hold it."""
    return _header(image_HWC, PLAIN) + _little_endian(image_HWC).tobytes()


def for_request(encoded: bytes) -> bytes:
    """Returns the bytes of a record's image as a request holds it: any other format than this one as it is."""
    return pack_plain(unpack_bands(encoded)) if encoded.startswith(MAGIC + COMPRESSED) else encoded


def is_band_image(encoded: bytes) -> bool:
    """Whether the bytes are of this layout."""
    return encoded.startswith(MAGIC)


def unpack_bands(data: bytes) -> npt.NDArray[Any]:
    """Returns the image [H, W, bands] of `pack_bands`; raises `ValueError` if the bytes are not such an image."""
    if not is_band_image(data) or len(data) < HEADER_BYTES:
        raise ValueError("the bytes are not an image of bands")
    depth, *shape = struct.unpack_from("<4I", data, len(MAGIC) + 1)
    dtype = np.dtype(DEPTHS[depth]).newbyteorder("<")
    if data[len(MAGIC) :].startswith(PLAIN):
        little_N = np.frombuffer(data, dtype, offset=HEADER_BYTES)
    else:
        planes = np.frombuffer(zlib.decompress(data[HEADER_BYTES:]), np.uint8).reshape(dtype.itemsize, -1)
        little_N = np.ascontiguousarray(planes.T).view(dtype)
    return little_N.reshape(shape).astype(dtype.newbyteorder("="))


def _header(image_HWC: npt.NDArray[Any], storage: bytes) -> bytes:
    depth = DEPTHS.index(image_HWC.dtype.name)
    return MAGIC + storage + struct.pack("<4I", depth, *image_HWC.shape)


def _little_endian(image_HWC: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.ascontiguousarray(image_HWC, image_HWC.dtype.newbyteorder("<")).reshape(-1)
