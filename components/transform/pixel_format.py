"""What an image of the data set is made of: 8-bit RGB, or a number of bands at a depth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from components import component_keys as keys

_RGB = 3


class PixelFormat(NamedTuple):
    """Channels of an image, and the type of their samples in records."""

    bands: int = _RGB
    depth: str | None = None
    """One of `common.band_image.DEPTHS`; `None` for RGB in a format that TensorFlow decodes."""

    @property
    def pixel_type(self) -> str:
        """Type of the pixels in 0…255 that the network gets."""
        return "uint8" if self.depth is None else "float32"


RGB = PixelFormat()


def pixel_format(custom_config: Mapping[str, Any]) -> PixelFormat:
    """Returns what a `custom_config` names: the number of bands and their depth, or neither for 8-bit RGB."""
    if keys.BANDS not in custom_config:
        return RGB
    return PixelFormat(int(custom_config[keys.BANDS]), str(custom_config[keys.DEPTH]))
