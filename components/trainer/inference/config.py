"""How the exported model answers: a picture as a whole or tile by tile, once or also mirrored."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from common.settings import Settings
from components.transform.config import TransformConfig

BAND_BYTES = 1_000_000_000
"""What the probabilities that are held while a picture is tiled may take."""


class InferenceConfig(Settings):
    """What the exported model does with a picture, when it serves and when it is judged.

    A picture is resized to the model's input as in training, or a window of that size slides over it.  Tiles show the
    picture at its own resolution (times `scale`): that is what a model knows which was trained on tiles, not one that
    saw whole pictures made small.
    """

    mode: Literal["resize", "tile"] = Field(
        default="resize",
        description="Resize the picture to the model's input, or slide a window of that size over it; where windows "
        "overlap, their probabilities are blended. With `tile` the model is judged at the pictures' own sizes.",
    )
    overlap: float = Field(default=0.25, ge=0, le=0.75, description="Share of a tile that the next one repeats.")
    scale: float = Field(
        default=1.0, ge=0.1, le=2, description="Size at which a picture is tiled, as a multiple of its own."
    )
    flips: Literal["none", "horizontal", "both"] = Field(
        default="none",
        description="Test-time augmentation: probabilities are averaged over the picture and its mirror image "
        "(2 passes), or over both directions and their combination (4 passes).",
    )
    batch: int = Field(default=8, ge=1, le=1024, description="Tiles that pass the network at a time.")


def check_band(inference: InferenceConfig, transform: TransformConfig, num_classes: int, max_pixels: int) -> None:
    """Refuses a combination that needs too much memory for a picture at the limit.

    While a picture is tiled, the probabilities of a band are held, which is a tile high and as wide as the picture's
    shorter side.

    Raises:
        ValueError: the band takes more than `BAND_BYTES`; the text says what fits.
    """
    tile = max(transform.height, transform.width)
    bytes_per_column = 4 * tile * num_classes
    shorter_side = max(tile, math.isqrt(max_pixels))
    if inference.mode == "tile" and bytes_per_column * shorter_side > BAND_BYTES:
        fitting = BAND_BYTES // bytes_per_column
        remedy = f"trainer.max_pixels to {fitting**2}" if fitting >= tile else "transform.height and width"
        raise ValueError(
            f"trainer.inference.mode tile would hold {bytes_per_column * shorter_side / 1e9:.1f} GB of probabilities "
            f"({num_classes} classes, tiles of {tile}, pictures of {max_pixels} pixels); lower {remedy}"
        )
