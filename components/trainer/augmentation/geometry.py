"""Geometric augmentation: one affine map per image, so that it is interpolated once.

The map leads from a pixel of the result to its source in the original.  A window of the original
is chosen (crop), its centre kept (central crop), rotated about its centre (rotate) and resized to the image;
rotations by 90° and flips come last.  If there are only flips and rotations by 90°, pixels are copied exactly.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import tensorflow as tf

from common.records import VOID
from components.trainer.augmentation.config import Augmentation, Crop
from components.trainer.augmentation.pixels import as_pixels
from components.trainer.augmentation.stateless_random import StatelessRandom
from components.trainer.augmentation.symmetry import draw_symmetry, matrix_B22

_WHOLE = Crop(scale=(1.0, 1.0), ratio=(1.0, 1.0))


class Window(NamedTuple):
    """A window in each image, in shares of the image's sides, each [B]."""

    width_B: tf.Tensor
    height_B: tf.Tensor
    x_B: tf.Tensor
    """Offset of its centre from the image's."""
    y_B: tf.Tensor


def interpolates(config: Augmentation) -> bool:
    """Returns whether any configured change needs interpolation."""
    return bool(config.rotate or config.crop or config.central_crop)


def warp(
    image_BHWC: tf.Tensor, mask_BHW: tf.Tensor, config: Augmentation, rng: StatelessRandom
) -> tuple[tf.Tensor, tf.Tensor]:
    """Maps images bilinearly and masks by nearest neighbour; both keep their type.

    Pixels from outside are black in the image and void in the mask.
    """
    height, width = mask_BHW.shape[1:]
    transform_B8 = _projective_B8(*_affine(config, rng, height, width), height, width)
    # Border pixels are repeated outside, so that a window that ends there is not mixed with black.  In uint8 the op
    # would truncate fractions, and darken.
    pixels_BHWC = _resampled(tf.cast(image_BHWC, tf.float32), transform_B8, "BILINEAR", "NEAREST")
    # The second channel, zeros, becomes void only where a pixel comes from outside.
    mask_BHW2 = tf.stack([mask_BHW, tf.zeros_like(mask_BHW)], axis=-1)
    mask_BHW2 = _resampled(mask_BHW2, transform_B8, "NEAREST", "CONSTANT")
    inside_BHW1 = mask_BHW2[..., 1:] == 0
    return as_pixels(tf.where(inside_BHW1, pixels_BHWC, 0.0), image_BHWC.dtype), mask_BHW2[..., 0]


def draw_window(config: Augmentation, rng: StatelessRandom) -> Window:
    """Returns the window of each image: the whole image, unless crop or central crop are drawn."""
    window = _draw_crop(config, rng)
    if config.central_crop:
        low, high = config.central_crop.side
        side_B = rng.sometimes_B("central_crop", config.central_crop.probability, low, high, 1.0)
        window = window._replace(width_B=window.width_B * side_B, height_B=window.height_B * side_B)
    return window


def _draw_crop(config: Augmentation, rng: StatelessRandom) -> Window:
    crop = config.crop or _WHOLE
    area_B = rng.sometimes_B("crop", crop.probability, *crop.scale, 1.0)
    # Only aspect ratios with which a window of that area fits into the image: both sides are at most 1.
    limit_B = -tf.math.log(area_B)
    narrowest, widest = math.log(crop.ratio[0]), math.log(crop.ratio[1])
    aspect_B = tf.exp(rng.between_B("aspect", tf.maximum(narrowest, -limit_B), tf.minimum(widest, limit_B)))
    width_B, height_B = tf.sqrt(area_B * aspect_B), tf.sqrt(area_B / aspect_B)
    return Window(
        width_B,
        height_B,
        rng.between_B("x", -(1 - width_B) / 2, (1 - width_B) / 2),
        rng.between_B("y", -(1 - height_B) / 2, (1 - height_B) / 2),
    )


def _affine(config: Augmentation, rng: StatelessRandom, height: int, width: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns matrix [B, 2, 2] and offset [B, 2] of the map, in pixels from the image's centre."""
    window = draw_window(config, rng)
    size_B22 = tf.linalg.diag(tf.stack([window.width_B, window.height_B], axis=-1))
    offset_B2 = tf.stack([window.x_B * width, window.y_B * height], axis=-1)
    matrix = size_B22 @ matrix_B22(draw_symmetry(config, rng))
    if config.rotate:
        largest = math.radians(config.rotate.degrees)
        angle_B = rng.sometimes_B("rotate", config.rotate.probability, -largest, largest, 0.0)
        matrix = rotation_B22(angle_B) @ matrix
    return matrix, offset_B2


def rotation_B22(angle_B: tf.Tensor) -> tf.Tensor:
    """Returns the rotation [B, 2, 2] of (x, y) by an angle [B] in radians."""
    cos_B, sin_B = tf.cos(angle_B), tf.sin(angle_B)
    return tf.stack([tf.stack([cos_B, -sin_B], axis=-1), tf.stack([sin_B, cos_B], axis=-1)], axis=-2)


def _projective_B8(matrix_B22: tf.Tensor, offset_B2: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Converts the map to TensorFlow's format: in pixels from the first one, with the two zeros of an affine map."""
    middle_2 = tf.constant([(width - 1) / 2, (height - 1) / 2], tf.float32)
    offset_B2 += middle_2 - tf.linalg.matvec(matrix_B22, middle_2)
    rows_B23 = tf.concat([matrix_B22, offset_B2[..., tf.newaxis]], axis=-1)
    return tf.pad(tf.reshape(rows_B23, [-1, 6]), [[0, 0], [0, 2]])


def _resampled(pixels_BHWC: tf.Tensor, transform_B8: tf.Tensor, interpolation: str, outside: str) -> tf.Tensor:
    resampled = tf.raw_ops.ImageProjectiveTransformV3(
        images=pixels_BHWC,
        transforms=transform_B8,
        output_shape=pixels_BHWC.shape[1:3],
        fill_value=float(VOID),
        interpolation=interpolation,
        fill_mode=outside,
    )
    return tf.ensure_shape(resampled, pixels_BHWC.shape)
