"""Operations on images and masks in the graph: decoding, resizing, padding, and conversion to bytes.

These functions are traced into the transform graph, which is used in training and serving, so preprocessing is the
same in both.  Shapes are per image: `image_HWC` uint8 RGB, or float32 bands in 0…255; `mask_HW` uint8
class indices.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from common.records import VOID
from components.transform.pixel_format import RGB, PixelFormat


class Placement(NamedTuple):
    """Placement of a resized image inside the model's input: offset and size, in pixels."""

    top: tf.Tensor
    left: tf.Tensor
    height: tf.Tensor
    width: tf.Tensor


def decode_image(encoded: tf.Tensor) -> tf.Tensor:
    """Decodes JPEG, PNG, BMP or the first frame of a GIF to RGB; alpha is dropped, 16 bits become 8."""
    image_HWC = tf.io.decode_image(encoded, channels=3, expand_animations=False)
    image_HWC.set_shape([None, None, 3])
    return image_HWC


def decode_mask(encoded: tf.Tensor) -> tf.Tensor:
    """Decodes a canonical mask, an 8-bit grey PNG; without bytes, as in serving, it is one void pixel.

    TensorFlow Transform feeds an empty string for a missing feature, and still computes what depends on it.
    """
    return tf.cond(
        tf.equal(tf.strings.length(encoded), 0),
        lambda: tf.constant([[VOID]], tf.uint8),
        lambda: tf.io.decode_png(encoded, channels=1)[..., 0],
    )


def letterbox(height: tf.Tensor, width: tf.Tensor, out_height: int, out_width: int) -> Placement:
    """The largest centred placement of a height × width image that keeps its aspect, at least one pixel wide."""
    height, width = tf.cast(height, tf.float32), tf.cast(width, tf.float32)
    scale = tf.minimum(out_height / height, out_width / width)
    new_height = tf.clip_by_value(tf.cast(tf.round(height * scale), tf.int32), 1, out_height)
    new_width = tf.clip_by_value(tf.cast(tf.round(width * scale), tf.int32), 1, out_width)
    return Placement((out_height - new_height) // 2, (out_width - new_width) // 2, new_height, new_width)


def placement(image_shape: tf.Tensor, out_height: int, out_width: int, aspect: str) -> Placement:
    """Returns the placement of an image of shape [H, W, …]; with `aspect` "stretch" it fills the input."""
    if aspect == "letterbox":
        return letterbox(image_shape[0], image_shape[1], out_height, out_width)
    return Placement(tf.constant(0), tf.constant(0), tf.constant(out_height), tf.constant(out_width))


def resize_image(image_HWC: tf.Tensor, out_height: int, out_width: int, aspect: str) -> tf.Tensor:
    """Resizes bilinearly, anti-aliased when shrinking, to [out_height, out_width, bands]; pads with black."""
    place = placement(tf.shape(image_HWC), out_height, out_width, aspect)
    pixels = resize_pixels(image_HWC, [place.height, place.width])
    return tf.ensure_shape(_pad(pixels, place, out_height, out_width, 0), [out_height, out_width, image_HWC.shape[-1]])


def resize_pixels(image_HWC: tf.Tensor, size_2: tf.Tensor | list[tf.Tensor]) -> tf.Tensor:
    """Resizes bilinearly, anti-aliased when shrinking, to height and width `size_2`; uint8 stays uint8."""
    resized = tf.image.resize(image_HWC, size_2, antialias=True)
    if image_HWC.dtype != tf.uint8:
        return resized
    return tf.cast(tf.clip_by_value(tf.round(resized), 0, 255), tf.uint8)


def scaled_size(size_2: tf.Tensor, scale: float) -> tf.Tensor:
    """Height and width times `scale`, at least one pixel each."""
    return tf.maximum(tf.cast(tf.round(tf.cast(size_2, tf.float64) * scale), tf.int32), 1)


def resize_nearest(mask_HW: tf.Tensor, size_2: tf.Tensor | list[tf.Tensor]) -> tf.Tensor:
    """Resizes by nearest neighbour, so that no class is invented, to height and width `size_2`."""
    return tf.image.resize(mask_HW[..., tf.newaxis], size_2, method="nearest")[..., 0]


def resize_mask(mask_HW: tf.Tensor, out_height: int, out_width: int, aspect: str) -> tf.Tensor:
    """Resizes by nearest neighbour to [out_height, out_width]; pads with void."""
    place = placement(tf.shape(mask_HW), out_height, out_width, aspect)
    resized = resize_nearest(mask_HW, [place.height, place.width])[..., tf.newaxis]
    return tf.ensure_shape(_pad(resized, place, out_height, out_width, VOID)[..., 0], [out_height, out_width])


def _pad(pixels: tf.Tensor, place: Placement, out_height: int, out_width: int, value: int) -> tf.Tensor:
    below = out_height - place.top - place.height
    right = out_width - place.left - place.width
    padding = [[place.top, below], [place.left, right], [0, 0]]
    return tf.pad(pixels, padding, constant_values=tf.constant(value, pixels.dtype))


def class_pixels(mask_HW: tf.Tensor, num_classes: int) -> tf.Tensor:
    """Pixels of each class [C], int64; void is in none."""
    flat_N = tf.cast(tf.reshape(mask_HW, [-1]), tf.int32)
    count_V = tf.math.bincount(flat_N, minlength=VOID + 1, maxlength=VOID + 1)
    return tf.ensure_shape(tf.cast(count_V[:num_classes], tf.int64), [num_classes])


def to_bytes(pixels: tf.Tensor) -> tf.Tensor:
    """The raw bytes of a tensor, as a string scalar.

    TensorFlow has no such op, but a serialized TensorProto ends with its content.
    """
    length = tf.size(pixels) * pixels.dtype.size
    return tf.strings.substr(tf.io.serialize_tensor(pixels), -length, length)


def images_from_bytes(raw_B: tf.Tensor, height: int, width: int, pixels: PixelFormat = RGB) -> tf.Tensor:
    """The inverse of `to_bytes` for a batch of images: [B, height, width, bands], uint8 or float32."""
    dtype, samples = tf.as_dtype(pixels.pixel_type), height * width * pixels.bands
    image_BN = tf.io.decode_raw(raw_B, dtype, fixed_length=samples * dtype.size)
    return tf.reshape(image_BN, [-1, height, width, pixels.bands])


def masks_from_bytes(raw_B: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """The inverse of `to_bytes` for a batch of masks: uint8 [B, height, width]."""
    return tf.reshape(tf.io.decode_raw(raw_B, tf.uint8, fixed_length=height * width), [-1, height, width])
