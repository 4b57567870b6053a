"""Malicious inputs that the server must reject."""

from __future__ import annotations

import io
import math

import numpy as np
from PIL import Image

from common.decompression_bomb import forged_size_png

_SIDE = 64


def hostile_inputs(max_pixels: int) -> dict[str, bytes]:
    """Returns name → bytes, for a model that accepts images of up to `max_pixels`."""
    return {
        "nothing": b"",
        "a text file": b"This is not an image.",
        "half a JPEG": _half_a_jpeg(),
        f"a header that claims more than {max_pixels} pixels": forged_size_png(math.isqrt(max_pixels) + 1),
    }


def _half_a_jpeg() -> bytes:
    noise_HWC = np.random.default_rng(0).integers(0, 256, [_SIDE, _SIDE, 3]).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise_HWC).save(out, "JPEG")
    return out.getvalue()[: out.tell() // 2]
