"""Images as arrays, from pixels to classes, by operations that ONNX and TFLite have too.

`tf.image.resize` with anti-aliasing is the operation ScaleAndTranslate, and exact counts are Bincount; both have no
counterpart there.  Here resizing is a product with matrices, and statistics are means: the same up to rounding.
"""

from __future__ import annotations

import tensorflow as tf

from components.transform.image_ops import Placement


def fit_to_input(image_BHWC: tf.Tensor, place: Placement, tile_2: tuple[int, int]) -> tf.Tensor:
    """Resizes images of one size into the model's input, as `image_ops.resize_image` does; float32.

    Args:
        image_BHWC: the images, uint8, or float32 bands.
        place: where the resized image is in the input.
        tile_2: height and width of the input.
    """
    height, width = tile_2
    bands = image_BHWC.shape[-1]
    pixels_BHWC = _resized(tf.cast(image_BHWC, tf.float32), place.height, place.width)
    if image_BHWC.dtype == tf.uint8:
        pixels_BHWC = tf.clip_by_value(tf.round(pixels_BHWC), 0, 255)
    below, right = height - place.top - place.height, width - place.left - place.width
    padded_BHWC = tf.pad(pixels_BHWC, [[0, 0], [place.top, below], [place.left, right], [0, 0]])
    return tf.reshape(padded_BHWC, [-1, height, width, bands])


def _resized(image_BHWC: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Resizes bilinearly, anti-aliased when shrinking: rows first, then columns."""
    shape_4 = tf.shape(image_BHWC)
    bands = image_BHWC.shape[-1]
    rows = tf.reshape(image_BHWC, tf.stack([shape_4[0], shape_4[1], shape_4[2] * bands]))
    of_height = tf.reshape(tf.matmul(resize_matrix(shape_4[1], height), rows), [-1, height, shape_4[2], bands])
    columns_BHCW = tf.matmul(tf.transpose(of_height, [0, 1, 3, 2]), resize_matrix(shape_4[2], width), transpose_b=True)
    return tf.transpose(columns_BHCW, [0, 1, 3, 2])


def resize_matrix(source: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Returns the weight [target, source] of each pixel of a line in each pixel of the resized line.

    It is the triangle kernel of `tf.image.resize(…, antialias=True)` with half-pixel centres: as wide as a pixel of the
    larger of both lines, cut off at the ends of the line.
    """
    step = tf.cast(source, tf.float32) / tf.cast(target, tf.float32)
    centre_T = (tf.cast(tf.range(target), tf.float32) + 0.5) * step
    pixel_S = tf.cast(tf.range(source), tf.float32) + 0.5
    distance_TS = tf.abs(pixel_S[tf.newaxis] - centre_T[:, tf.newaxis]) / tf.maximum(step, 1.0)
    weight_TS = tf.maximum(1.0 - distance_TS, 0.0)
    return weight_TS / tf.reduce_sum(weight_TS, axis=1, keepdims=True)


def array_statistics(image_BHWC: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns mean and standard deviation [B, C] of each channel of each image, float32."""
    mean_B11C = tf.reduce_mean(image_BHWC, axis=[1, 2], keepdims=True)
    variance_BC = tf.reduce_mean(tf.square(image_BHWC - mean_B11C), axis=[1, 2])
    return mean_B11C[:, 0, 0], tf.sqrt(variance_BC)


def most_likely_BHW(probabilities_BHWC: tf.Tensor) -> tf.Tensor:
    """Returns the class of each pixel, uint8; the first class on a tie."""
    return tf.cast(tf.argmax(probabilities_BHWC, axis=-1, output_type=tf.int32), tf.uint8)


def most_likely_at_own_size_BHW(probabilities_BHWC: tf.Tensor, place: Placement, size_2: tf.Tensor) -> tf.Tensor:
    """Returns the same at the images' own size, as `postprocess.at_own_size` does.

    All classes are resized at once, so that the memory grows with their number.
    """
    bottom, right = place.top + place.height, place.left + place.width
    image_BhwC = probabilities_BHWC[:, place.top : bottom, place.left : right]
    return most_likely_BHW(tf.image.resize(image_BhwC, size_2))
