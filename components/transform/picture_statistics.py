"""Statistics of one image, and normalisation by them: the same in training and serving."""

from __future__ import annotations

import tensorflow as tf

_VALUES = 256
SMALLEST_STD = 8.0
"""Added to the standard deviation, so that the noise of an empty image is not amplified."""


def picture_statistics(image_HWC: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns mean and standard deviation [C] of each channel of an image, uint8 or float32, in 0…255.

    Of uint8 images they are computed from exact counts, one channel after the other: in float32 an image of 25
    megapixels would take 300 MB, and its sums would depend on the number of threads.
    """
    if image_HWC.dtype != tf.uint8:
        return _float_statistics(image_HWC)
    value_V = tf.range(_VALUES, dtype=tf.float64)
    means: list[tf.Tensor] = []
    stds: list[tf.Tensor] = []
    for channel in range(3):
        with tf.control_dependencies(stds):
            value_N = tf.cast(tf.reshape(image_HWC[..., channel], [-1]), tf.int32)
        count_V = tf.math.bincount(value_N, minlength=_VALUES, maxlength=_VALUES)
        mean, std = counted_statistics(count_V, value_V, tf.size(value_N))
        means.append(mean)
        stds.append(std)
    return tf.cast(tf.stack(means), tf.float32), tf.cast(tf.stack(stds), tf.float32)


def counted_statistics(count_V: tf.Tensor, value_V: tf.Tensor, pixels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns mean and standard deviation, float64, of `pixels` pixels of which `count_V` have each value."""
    share_V = tf.cast(count_V, tf.float64) / tf.cast(tf.maximum(pixels, 1), tf.float64)
    mean = tf.reduce_sum(share_V * value_V)
    return mean, tf.sqrt(tf.reduce_sum(share_V * tf.square(value_V - mean)))


def _float_statistics(image_HWC: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the same, summed in float64, one channel after the other."""
    means: list[tf.Tensor] = []
    stds: list[tf.Tensor] = []
    for channel in range(image_HWC.shape[-1]):
        with tf.control_dependencies(stds):
            value_HW = tf.cast(image_HWC[..., channel], tf.float64)
        means.append(tf.reduce_mean(value_HW))
        stds.append(tf.math.reduce_std(value_HW))
    return tf.cast(tf.stack(means), tf.float32), tf.cast(tf.stack(stds), tf.float32)


def batch_statistics(image_BHWC: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns `picture_statistics` [B, C] of each image of a batch."""
    spec = tf.TensorSpec(image_BHWC.shape[-1:], tf.float32)
    mean_BC, std_BC = tf.map_fn(picture_statistics, image_BHWC, fn_output_signature=(spec, spec))
    return mean_BC, std_BC


def normalised(image_BHWC: tf.Tensor, mean_BC: tf.Tensor, std_BC: tf.Tensor) -> tf.Tensor:
    """Returns (x − mean) / (std + 8), float32, of images or of windows of them."""
    mean_B11C, std_B11C = mean_BC[:, tf.newaxis, tf.newaxis], std_BC[:, tf.newaxis, tf.newaxis]
    return (tf.cast(image_BHWC, tf.float32) - mean_B11C) / (std_B11C + SMALLEST_STD)


def denormalised(value_BHWC: tf.Tensor, mean_BC: tf.Tensor, std_BC: tf.Tensor) -> tf.Tensor:
    """Returns the nearest pixels, uint8, of normalised images: the inverse of `normalised`, to look at them."""
    mean_B11C, std_B11C = mean_BC[:, tf.newaxis, tf.newaxis], std_BC[:, tf.newaxis, tf.newaxis]
    pixels = value_BHWC * (std_B11C + SMALLEST_STD) + mean_B11C
    return tf.cast(tf.clip_by_value(tf.round(pixels), 0, 255), tf.uint8)
