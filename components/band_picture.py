"""A picture to look at, of an image of bands."""

from __future__ import annotations

import io

from PIL import Image

from common.band_image import is_band_image, unpack_bands
from segpipe_client.bands import stretched


def viewable(encoded: bytes) -> bytes:
    """Returns the bytes of a record's image for a viewer: a PNG of its first three bands, or of the first in grey.

    Each band is stretched by itself.  An image in another format than `common.band_image` is returned as it is.
    """
    if not is_band_image(encoded):
        return encoded
    pixels_HWC = stretched(unpack_bands(encoded))
    out = io.BytesIO()
    Image.fromarray(pixels_HWC[..., 0] if pixels_HWC.shape[-1] == 1 else pixels_HWC).save(out, "PNG")
    return out.getvalue()
