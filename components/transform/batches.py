"""How many images Transform computes at a time."""

from __future__ import annotations

from components.transform.config import TransformConfig
from components.transform.pixel_format import PixelFormat

_BYTES = 4 << 20
_OF_OWN_SIZE = 8
_MOST = 1000


def images_in_batch(config: TransformConfig, pixels: PixelFormat) -> int:
    """Returns the number of images in a batch: as many transformed images and masks as have some 4 MB, at least one.

    Images of their own size (mode `crop`) are 8, as their sizes are not known beforehand.
    """
    if config.crops:
        return _OF_OWN_SIZE
    return min(max(_BYTES // pair_bytes(config, pixels), 1), _MOST)


def pair_bytes(config: TransformConfig, pixels: PixelFormat) -> int:
    """Returns the bytes of an image of the model's size and its mask."""
    sample_bytes = 1 if pixels.pixel_type == "uint8" else 4
    return config.height * config.width * (pixels.bands * sample_bytes + 1)
