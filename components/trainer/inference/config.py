"""Configuration of inference: whole image or sliding window, with or without test-time augmentation."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from common.settings import Settings
from components.transform.config import TransformConfig

BAND_BYTES = 1_000_000_000
"""Memory limit of the probabilities that are held by the sliding window."""


class InferenceConfig(Settings):
    """Inference of the exported model, in serving and evaluation.

    An image is resized to the model's input as in training, or a window of that size slides over it.  Tiles have the
    image's own resolution (times `scale`), which suits a model that was trained on tiles, not one that
    was trained on shrunk whole images.
    """

    mode: Literal["resize", "tile"] = Field(
        default="resize",
        description="Resize the image to the model's input, or slide a window of that size over it; if windows "
        "overlap, their probabilities are blended. With `tile` the model is evaluated at the images' own sizes.",
    )
    overlap: float = Field(
        default=0.25, ge=0, le=0.75, description="Overlap of neighbouring tiles as a share of a tile."
    )
    scale: float = Field(default=1.0, ge=0.1, le=2, description="Factor on the image's size before tiling.")
    flips: Literal["none", "horizontal", "both"] = Field(
        default="none",
        description="Test-time augmentation: probabilities are averaged over the image and its mirror image "
        "(2 passes), or over both directions and their combination (4 passes).",
    )
    batch: int = Field(default=8, ge=1, le=1024, description="Number of tiles in a batch.")


def check_band(inference: InferenceConfig, transform: TransformConfig, num_classes: int, max_pixels: int) -> None:
    """Rejects a combination that needs too much memory for an image at the size limit.

    The sliding window holds the probabilities of a band that is a tile high and as wide as the image's
    shorter side.

    Raises:
        ValueError: the band takes more than `BAND_BYTES`; the message says what fits.
    """
    tile = max(transform.height, transform.width)
    bytes_per_column = 4 * tile * num_classes
    shorter_side = max(tile, math.isqrt(max_pixels))
    if inference.mode == "tile" and bytes_per_column * shorter_side > BAND_BYTES:
        fitting = BAND_BYTES // bytes_per_column
        remedy = f"trainer.max_pixels to {fitting**2}" if fitting >= tile else "transform.height and width"
        raise ValueError(
            f"trainer.inference.mode tile would hold {bytes_per_column * shorter_side / 1e9:.1f} GB of probabilities "
            f"({num_classes} classes, tiles of {tile}, images of {max_pixels} pixels); lower {remedy}"
        )
