"""Reader of records' images in the transform graph: 8-bit RGB, or bands whose samples are scaled."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from common import records
from components.transform.bands import WHITE, Range, decode_bands, drawn_samples, scaled_values, value_range
from components.transform.config import TransformConfig
from components.transform.image_ops import decode_image
from components.transform.pixel_format import RGB, PixelFormat

_MOST_SAMPLES = 65535


class PixelSource(NamedTuple):
    """How an encoded image becomes pixels in 0…255."""

    decode: Callable[[tf.Tensor], tf.Tensor]
    """Encoded image → [H, W, bands] of the format's `pixel_type`."""
    pixels: PixelFormat
    limits: Range | None = None
    """The samples of each band that become 0 and 255; `None` for RGB."""

    @property
    def least_variance(self) -> float:
        """The least variance of a channel over the training data: of neighbouring samples of its type."""
        return 1.0 if self.pixels.depth is None else (WHITE / _MOST_SAMPLES) ** 2

    def statistics(self) -> tuple[tf.Tensor, tf.Tensor] | None:
        """Mean and standard deviation [bands] of the training data, if they follow from the range of values."""
        known = self.limits.statistics() if self.limits else None
        return (known[0], tf.maximum(known[1], self.least_variance**0.5)) if known else None


RGB_SOURCE = PixelSource(decode_image, RGB)
"""Reader of 8-bit RGB."""


def pixel_source(inputs: dict[str, tf.Tensor], config: TransformConfig, pixels: PixelFormat) -> PixelSource:
    """Returns the reader of the images in `inputs`; ranges of values are analyzers over the training split."""
    if pixels.depth is None:
        return RGB_SOURCE
    return scaled_source(pixels, _limits(inputs[records.IMAGE_ENCODED], config, pixels.depth, pixels.bands))


def scaled_source(pixels: PixelFormat, limits: Range) -> PixelSource:
    """Returns the reader of images of bands that are scaled by known limits."""
    depth = pixels.depth
    assert depth is not None
    return PixelSource(
        lambda encoded: scaled_values(decode_bands(encoded, depth, pixels.bands), limits), pixels, limits
    )


def _limits(encoded_B: tf.Tensor, config: TransformConfig, depth: str, bands: int) -> Range:
    drawn_BNC = tf.map_fn(
        lambda encoded: drawn_samples(decode_bands(encoded, depth, bands)),
        encoded_B,
        fn_output_signature=tf.TensorSpec([None, bands], tf.float32),
        parallel_iterations=1,
    )
    return value_range(config.values, depth, bands, drawn_BNC)
