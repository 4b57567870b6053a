"""An image at its own size, cut into horizontal strips: a window reads those that it needs, however large the image is.

The strips are pieces of the raw bytes of a compact record, so that nothing of the image is lost, repeated or moved: a
window may be anywhere, and is the same as one of the whole image.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from components.transform import features
from components.transform.image_ops import class_pixels, to_bytes
from components.transform.pixel_format import PixelFormat

_STRIP_BYTES = 2**20


class Strips(NamedTuple):
    """An image and its mask."""

    image_S: tf.Tensor
    """Raw bytes of strips, perhaps of other images too."""
    mask_S: tf.Tensor
    """Raw bytes of the masks, strip by strip."""
    first: tf.Tensor
    """The image's first strip, int64."""
    rows: tf.Tensor
    """Rows of a strip, int32; the last one may have fewer."""
    size_2: tf.Tensor
    """Height and width, int32."""
    class_pixels_TC: tf.Tensor
    """Pixels of each class in each strip of the image, int64."""


class NativeImage(NamedTuple):
    """An image at its own size, its mask, and its statistics."""

    strips: Strips
    mean_C: tf.Tensor
    std_C: tf.Tensor


def parse_image(serialized: tf.Tensor, num_classes: int) -> NativeImage:
    """Returns the image of a compact record."""
    per_band = tf.io.FixedLenSequenceFeature([], tf.float32, allow_missing=True)
    spec = {
        features.IMAGE: tf.io.FixedLenFeature([], tf.string),
        features.MASK: tf.io.FixedLenFeature([], tf.string),
        features.HEIGHT: tf.io.FixedLenFeature([], tf.int64),
        features.WIDTH: tf.io.FixedLenFeature([], tf.int64),
        features.PICTURE_MEAN: per_band,
        features.PICTURE_STD: per_band,
    }
    parsed = tf.io.parse_single_example(serialized, spec)
    size_2 = tf.cast(tf.stack([parsed[features.HEIGHT], parsed[features.WIDTH]]), tf.int32)
    strips = _cut(parsed[features.IMAGE], parsed[features.MASK], size_2, num_classes)
    return NativeImage(strips, parsed[features.PICTURE_MEAN], parsed[features.PICTURE_STD])


def strips_of(image_HWC: tf.Tensor, mask_HW: tf.Tensor, num_classes: int) -> Strips:
    """Returns an image and its mask in strips."""
    return _cut(to_bytes(image_HWC), to_bytes(mask_HW), tf.shape(mask_HW), num_classes)


def read_rows(strips: Strips, begin: tf.Tensor, end: tf.Tensor, pixels: PixelFormat) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the rows from `begin` to `end` of the image [R, W, C] and of its mask [R, W]."""
    top, bottom = begin // strips.rows, (end - 1) // strips.rows + 1
    first, last = (strips.first + tf.cast(strip, tf.int64) for strip in (top, bottom))
    samples_N = tf.io.decode_raw(tf.strings.reduce_join(strips.image_S[first:last]), tf.as_dtype(pixels.pixel_type))
    mask_N = tf.io.decode_raw(tf.strings.reduce_join(strips.mask_S[first:last]), tf.uint8)
    width, offset = strips.size_2[1], top * strips.rows
    image_RWC = tf.reshape(samples_N, tf.stack([-1, width, pixels.bands]))[begin - offset : end - offset]
    mask_RW = tf.reshape(mask_N, tf.stack([-1, width]))[begin - offset : end - offset]
    return tf.ensure_shape(image_RWC, [None, None, pixels.bands]), mask_RW


def read_whole(strips: Strips, pixels: PixelFormat) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the image [H, W, C] and its mask [H, W]."""
    return read_rows(strips, tf.constant(0), strips.size_2[0], pixels)


def find_pixel(strips: Strips, value: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    """Returns row and column, int32 [2], of a pixel of class `value`, which must occur in the mask.

    Args:
        strips: The image.
        value: Index of the class.
        share: Which one: a number in [0, 1) of all its pixels, row by row.
    """
    count_T = strips.class_pixels_TC[:, value]
    until_T = tf.cumsum(count_T)
    total = until_T[-1]
    number = tf.minimum(tf.cast(share * tf.cast(total, tf.float32), tf.int64), total - 1)
    strip = tf.searchsorted(until_T, number[tf.newaxis], side="right", out_type=tf.int64)[0]
    mask_N = tf.io.decode_raw(strips.mask_S[strips.first + strip], tf.uint8)
    place_N = tf.where(mask_N == tf.cast(value, tf.uint8))[:, 0]
    place = tf.cast(place_N[number - (until_T[strip] - count_T[strip])], tf.int32)
    width = strips.size_2[1]
    return tf.stack([tf.cast(strip, tf.int32) * strips.rows + place // width, place % width])


def _cut(image: tf.Tensor, mask: tf.Tensor, size_2: tf.Tensor, num_classes: int) -> Strips:
    image_row, mask_row = tf.strings.length(image) // size_2[0], size_2[1]
    rows = tf.clip_by_value(_STRIP_BYTES // image_row, 1, size_2[0])

    def strip(start: tf.Tensor) -> tuple[tf.Tensor, ...]:
        number = tf.minimum(rows, size_2[0] - start)
        image_part = tf.strings.substr(image, start * image_row, number * image_row)
        mask_part = tf.strings.substr(mask, start * mask_row, number * mask_row)
        return image_part, mask_part, class_pixels(tf.io.decode_raw(mask_part, tf.uint8), num_classes)

    raw = tf.TensorSpec([], tf.string)
    spec = (raw, raw, tf.TensorSpec([num_classes], tf.int64))
    # One after the other, and each with a scalar: `substr` copies a string for each of several positions.
    image_T, mask_T, counts_TC = tf.map_fn(
        strip, tf.range(0, size_2[0], rows), fn_output_signature=spec, parallel_iterations=1
    )
    return Strips(image_T, mask_T, tf.constant(0, tf.int64), rows, size_2, counts_TC)
