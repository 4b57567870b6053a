"""What nobody should send, and a server must refuse."""

from __future__ import annotations

import io
import math

import numpy as np
from PIL import Image

from common.decompression_bomb import lying_png

_SIDE = 64


def hostile_inputs(max_pixels: int) -> dict[str, bytes]:
    """What it is → the bytes, for a model that takes pictures of up to `max_pixels`."""
    return {
        "nothing": b"",
        "a text": b"This is no picture.",
        "half a JPEG": _half_a_jpeg(),
        f"a header that speaks of more than {max_pixels} pixels": lying_png(math.isqrt(max_pixels) + 1),
    }


def _half_a_jpeg() -> bytes:
    noise_HWC = np.random.default_rng(0).integers(0, 256, [_SIDE, _SIDE, 3]).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise_HWC).save(out, "JPEG")
    return out.getvalue()[: out.tell() // 2]
