"""Brightness and contrast of an encoded image, as the request log and the reference distribution measure them.

Both are measured on the luma of an image that is reduced by averaging to a shorter side of at least `_SHORT_SIDE`
pixels: libjpeg does this while it decodes, in a fraction of the time, and the other formats are reduced by the same
factor, so that one image has the same figures in each format.  Contrast is therefore that of coarse structures, not of
grain, and not that of `image/contrast` in the records, which is of every pixel.
"""

from __future__ import annotations

import io
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from common.band_image import is_band_image, unpack_bands

_FORMATS = ("JPEG", "PNG", "GIF", "BMP")
_SHORT_SIDE = 128
_LARGEST_FACTOR = 8  # of libjpeg's scaled decoding
_PNG_SIZE_ENDS = 24


class Tone(NamedTuple):
    """Mean and standard deviation of luma (of bands: of all samples), as shares of the range."""

    brightness: float
    contrast: float


def tone_of(encoded: bytes) -> Tone:
    """Returns the tone of an image file, or of an image of bands.

    Raises:
        ValueError: the bytes cannot be decoded.
    """
    if is_band_image(encoded):
        return samples_tone(unpack_bands(encoded))
    try:
        return _luma_tone(_reduced_luma(encoded))
    except Exception as error:  # Pillow's decoders raise errors of many types.
        raise ValueError(f"the image cannot be decoded: {type(error).__name__}") from error


def samples_tone(image_HWC: npt.NDArray[Any]) -> Tone:
    """Returns the tone of all samples of an image of bands.

    The range is that of the type; of floating point, which has none, that of the image's own samples.
    """
    if image_HWC.dtype.kind == "u":
        low, high = 0.0, float(np.iinfo(image_HWC.dtype).max)
    else:
        low, high = float(image_HWC.min()), float(image_HWC.max())
    extent = (high - low) or 1.0
    mean, std = float(image_HWC.mean(dtype=np.float64)), float(image_HWC.std(dtype=np.float64))
    return Tone((mean - low) / extent, std / extent)


def png_size(encoded: bytes) -> tuple[int, int] | None:
    """Returns height and width in the header of a PNG; `None` if there is none, as in an empty mask."""
    if len(encoded) < _PNG_SIZE_ENDS:
        return None
    width, height = (int.from_bytes(encoded[place : place + 4], "big") for place in (16, 20))
    return height, width


def _reduced_luma(encoded: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(encoded), formats=_FORMATS)
    width, height = image.size
    factor = _factor(min(width, height))
    if image.format == "JPEG":
        image.draft("L", (-(-width // factor), -(-height // factor)))
    luma = _luma(image)
    left = round(luma.width * factor / width)  # What libjpeg has not reduced yet.
    return luma.reduce(left) if left > 1 else luma


def _factor(short_side: int) -> int:
    factor = 1
    while factor < _LARGEST_FACTOR and short_side // (2 * factor) >= _SHORT_SIDE:
        factor *= 2
    return factor


def _luma(image: Image.Image) -> Image.Image:
    """Returns 8-bit luma without alpha; of 16 bits the high byte, as the served graph takes it."""
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return image if image.mode == "L" else image.convert("RGB").convert("L")


def _luma_tone(luma: Image.Image) -> Tone:
    counts = np.array(luma.histogram(), np.float64)
    shares, levels = counts / counts.sum(), np.arange(256) / 255
    mean = float(shares @ levels)
    return Tone(mean, float(np.sqrt(shares @ (levels - mean) ** 2)))
