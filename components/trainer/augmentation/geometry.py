"""Windows, turned and mirrored: all geometry of a picture is one affine map, so that it is interpolated once.

The map leads from a pixel that will be seen to the place in the original where it comes from.  A window of the original
is chosen (crop), its middle kept (central crop), turned about its own middle (rotate) and made as large as the picture;
turns by 90° and mirrors come last.  Where only mirrors and turns by 90° are drawn, pixels are copied exactly.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import tensorflow as tf

from common.records import VOID
from components.trainer.augmentation.config import Augmentation, Crop
from components.trainer.augmentation.draws import Draws
from components.trainer.augmentation.symmetry import draw_symmetry, matrix_B22

_WHOLE = Crop(scale=(1.0, 1.0), ratio=(1.0, 1.0))


class Window(NamedTuple):
    """A part of each picture, in shares of the picture's sides, each [B]."""

    width_B: tf.Tensor
    height_B: tf.Tensor
    x_B: tf.Tensor
    """Of its middle from the picture's."""
    y_B: tf.Tensor


def interpolates(config: Augmentation) -> bool:
    """Whether anything moves pixels to places between pixels."""
    return bool(config.rotate or config.crop or config.central_crop)


def warp(image_BHWC: tf.Tensor, mask_BHW: tf.Tensor, config: Augmentation, draws: Draws) -> tuple[tf.Tensor, tf.Tensor]:
    """Pictures bilinearly and masks by nearest neighbours through the same map, both uint8.

    What comes from outside is black in the picture and void in the mask.
    """
    height, width = mask_BHW.shape[1:]
    transform_B8 = _projective_B8(*_affine(config, draws, height, width), height, width)
    # Beyond the border lie the border's own pixels, lest a window that ends there be mixed with black.  In uint8 the op
    # would cut fractions off, and darken.
    pixels_BHWC = _resampled(tf.cast(image_BHWC, tf.float32), transform_B8, "BILINEAR", "NEAREST")
    # The second channel, zeros, is void where a pixel comes from outside, and there alone.
    mask_BHW2 = tf.stack([mask_BHW, tf.zeros_like(mask_BHW)], axis=-1)
    mask_BHW2 = _resampled(mask_BHW2, transform_B8, "NEAREST", "CONSTANT")
    inside_BHW1 = mask_BHW2[..., 1:] == 0
    return tf.cast(tf.round(tf.where(inside_BHW1, pixels_BHWC, 0.0)), tf.uint8), mask_BHW2[..., 0]


def draw_window(config: Augmentation, draws: Draws) -> Window:
    """The window of each picture: all of it, unless crop or central crop are drawn."""
    window = _draw_crop(config, draws)
    if config.central_crop:
        low, high = config.central_crop.side
        side_B = draws.sometimes_B("central_crop", config.central_crop.probability, low, high, 1.0)
        window = window._replace(width_B=window.width_B * side_B, height_B=window.height_B * side_B)
    return window


def _draw_crop(config: Augmentation, draws: Draws) -> Window:
    crop = config.crop or _WHOLE
    area_B = draws.sometimes_B("crop", crop.probability, *crop.scale, 1.0)
    # Only aspects with which a window of that area fits into the picture: both its sides are then 1 at most.
    limit_B = -tf.math.log(area_B)
    narrowest, widest = math.log(crop.ratio[0]), math.log(crop.ratio[1])
    aspect_B = tf.exp(draws.between_B("aspect", tf.maximum(narrowest, -limit_B), tf.minimum(widest, limit_B)))
    width_B, height_B = tf.sqrt(area_B * aspect_B), tf.sqrt(area_B / aspect_B)
    return Window(
        width_B,
        height_B,
        draws.between_B("x", -(1 - width_B) / 2, (1 - width_B) / 2),
        draws.between_B("y", -(1 - height_B) / 2, (1 - height_B) / 2),
    )


def _affine(config: Augmentation, draws: Draws, height: int, width: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Matrix [B, 2, 2] and offset [B, 2] of the map, in pixels from the middle of the picture."""
    window = draw_window(config, draws)
    size_B22 = tf.linalg.diag(tf.stack([window.width_B, window.height_B], axis=-1))
    offset_B2 = tf.stack([window.x_B * width, window.y_B * height], axis=-1)
    matrix = size_B22 @ matrix_B22(draw_symmetry(config, draws))
    if config.rotate:
        largest = math.radians(config.rotate.degrees)
        angle_B = draws.sometimes_B("rotate", config.rotate.probability, -largest, largest, 0.0)
        matrix = _rotation_B22(angle_B) @ matrix
    return matrix, offset_B2


def _rotation_B22(angle_B: tf.Tensor) -> tf.Tensor:
    cos_B, sin_B = tf.cos(angle_B), tf.sin(angle_B)
    return tf.stack([tf.stack([cos_B, -sin_B], axis=-1), tf.stack([sin_B, cos_B], axis=-1)], axis=-2)


def _projective_B8(matrix_B22: tf.Tensor, offset_B2: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """The map as TensorFlow takes it: in pixels from the first one, and with the two zeros of an affine one."""
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
