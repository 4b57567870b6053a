"""What nobody should send, and a server must refuse."""

from __future__ import annotations

import io
import math
import struct
import zlib

import numpy as np
from PIL import Image

_SIDE = 64


def hostile_inputs(max_pixels: int) -> dict[str, bytes]:
    """What it is → the bytes, for a model that takes pictures of up to `max_pixels`."""
    return {
        "nothing": b"",
        "a text": b"This is no picture.",
        "half a JPEG": _half_a_jpeg(),
        f"a header that speaks of more than {max_pixels} pixels": _lying_png(math.isqrt(max_pixels) + 1),
    }


def _half_a_jpeg() -> bytes:
    noise_HWC = np.random.default_rng(0).integers(0, 256, [_SIDE, _SIDE, 3]).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise_HWC).save(out, "JPEG")
    return out.getvalue()[: out.tell() // 2]


def _lying_png(side: int) -> bytes:
    """A PNG that is valid but for its size: a few bytes of pixels behind a header of side × side (RFC 2083, 3.2)."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1 + 3 * _SIDE))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
