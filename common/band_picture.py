"""A picture to look at, of an image of bands."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from common.band_image import is_band_image, unpack_bands

_COLOURS = 3
_DARK, _BRIGHT = 2, 98
"""Percentiles of a band that become black and white."""


def viewable(encoded: bytes) -> bytes:
    """Returns the bytes of a record's image for a viewer: a PNG of its first three bands, or of the first in grey.

    Each band is stretched by itself.  An image in another format than `common.band_image` is returned as it is.
    """
    if not is_band_image(encoded):
        return encoded
    image_HWC = unpack_bands(encoded)
    shown_HWC = image_HWC[..., : _COLOURS if image_HWC.shape[-1] >= _COLOURS else 1].astype(np.float64)
    low_C, high_C = np.percentile(shown_HWC, [_DARK, _BRIGHT], axis=(0, 1))
    share_HWC = (shown_HWC - low_C) / np.where(high_C > low_C, high_C - low_C, 1)
    pixels_HWC = (np.clip(share_HWC, 0, 1) * 255).round().astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels_HWC if pixels_HWC.shape[-1] == _COLOURS else pixels_HWC[..., 0]).save(out, "PNG")
    return out.getvalue()
