"""The type of augmented images: uint8 stays uint8, float32 (bands) stays float32, both in 0…255."""

from __future__ import annotations

import tensorflow as tf


def as_pixels(value_BHWC: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Returns float32 values in 0…255 in the type of the images that they were made from: rounded, if that is uint8."""
    return tf.cast(tf.round(value_BHWC), tf.uint8) if dtype == tf.uint8 else value_BHWC
