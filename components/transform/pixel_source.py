"""Reader of records' images in the transform graph: 8-bit RGB, or bands whose samples are scaled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from common import records
from components import component_keys as keys
from components.transform.bands import WHITE, Range, decode_bands, drawn_samples, scaled_values, value_range
from components.transform.config import TransformConfig
from components.transform.image_ops import decode_image

_RGB = 3
_MOST_SAMPLES = 65535


class PixelSource(NamedTuple):
    """How an encoded image becomes pixels in 0…255."""

    decode: Callable[[tf.Tensor], tf.Tensor]
    """Encoded image → [H, W, bands] of `dtype`."""
    bands: int
    dtype: tf.DType
    """uint8 or float32."""

    @property
    def least_variance(self) -> float:
        """The least variance of a channel over the training data: of neighbouring samples of its type."""
        return 1.0 if self.dtype == tf.uint8 else (WHITE / _MOST_SAMPLES) ** 2


def pixel_source(
    inputs: dict[str, tf.Tensor], config: TransformConfig, custom_config: Mapping[str, Any]
) -> PixelSource:
    """Returns the reader of the images in `inputs`; ranges of values are analyzers over the training split.

    `custom_config` has the number of bands and their depth, or neither for 8-bit RGB.
    """
    if keys.BANDS not in custom_config:
        return PixelSource(decode_image, _RGB, tf.uint8)
    bands, depth = int(custom_config[keys.BANDS]), str(custom_config[keys.DEPTH])
    limits = _limits(inputs[records.IMAGE_ENCODED], config, depth, bands)
    return PixelSource(lambda encoded: scaled_values(decode_bands(encoded, depth, bands), limits), bands, tf.float32)


def _limits(encoded_B: tf.Tensor, config: TransformConfig, depth: str, bands: int) -> Range:
    drawn_BNC = tf.map_fn(
        lambda encoded: drawn_samples(decode_bands(encoded, depth, bands)),
        encoded_B,
        fn_output_signature=tf.TensorSpec([None, bands], tf.float32),
        parallel_iterations=1,
    )
    return value_range(config.values, depth, bands, drawn_BNC)
