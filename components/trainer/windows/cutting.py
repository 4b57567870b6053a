"""Cuts a random window: one affine map from the window to the image, so that pixels are interpolated at most once."""

from __future__ import annotations

import math
from typing import NamedTuple

import tensorflow as tf

from common.records import VOID
from components.trainer.augmentation.config import Augmentation
from components.trainer.augmentation.geometry import rotation_B22
from components.trainer.augmentation.pixels import as_pixels
from components.trainer.augmentation.stateless_random import StatelessRandom
from components.trainer.augmentation.symmetry import draw_symmetry, matrix_B22
from components.trainer.windows.config import WindowsConfig
from components.trainer.windows.strips import Strips, find_pixel, read_rows
from components.transform.pixel_format import RGB, PixelFormat

Pair = tuple[tf.Tensor, tf.Tensor]
_BORDER = 1  # Pixels around the part of the image that interpolation may read.


class Cut(NamedTuple):
    """Settings of the cut."""

    size_2: tuple[int, int]
    """Height and width of a window."""
    augmentation: Augmentation
    windows: WindowsConfig
    rare_C: tuple[bool, ...]
    """Whether a class is one that windows are centred on."""
    pixels: PixelFormat = RGB


def cut_window(strips: Strips, cut: Cut, seed_2: tf.Tensor) -> Pair:
    """Returns a random window of an image [h, w, C], uint8 or float32 in 0…255, and its mask [h, w], uint8.

    Only the rows that it touches are read: an image may be far larger than the window.

    Args:
        strips: Image and mask.
        cut: Settings.
        seed_2: Seed of the random numbers.
    """
    rng = StatelessRandom(seed_2, tf.constant(1))
    matrix_22 = _draw_matrix(cut, rng)
    reach_2 = _reach(matrix_22, cut.size_2)
    spare_2 = tf.cast(strips.size_2, tf.float32) - reach_2
    corner_2 = tf.floor(tf.stack([rng.between_B(axis, 0.0, 1.0)[0] for axis in ("y", "x")]) * (spare_2 + 1))
    if cut.windows.foreground:
        corner_2 = tf.cond(
            rng.chosen_B("foreground", cut.windows.foreground)[0],
            lambda: _around_rare_class(corner_2, strips, reach_2, cut, rng),
            lambda: corner_2,
        )
    # An image that is smaller than the window is in its middle.
    inside_2 = tf.clip_by_value(corner_2, 0.0, tf.maximum(spare_2, 0.0))
    corner_2 = tf.where(spare_2 < 0, tf.math.ceil(spare_2 / 2), inside_2)
    return _warp_part(strips, matrix_22, corner_2, reach_2, cut)


def _draw_matrix(cut: Cut, rng: StatelessRandom) -> tf.Tensor:
    """Returns the map [2, 2] from (x, y) in the window to the image, both from the centre."""
    matrix_122 = matrix_B22(draw_symmetry(cut.augmentation, rng))
    low, high = cut.windows.zoom
    if (low, high) != (1.0, 1.0):
        matrix_122 /= tf.exp(rng.between_B("zoom", math.log(low), math.log(high)))[:, tf.newaxis, tf.newaxis]
    rotate = cut.augmentation.rotate
    if rotate:
        largest = math.radians(rotate.degrees)
        angle_B = rng.sometimes_B("rotate", rotate.probability, -largest, largest, 0.0)
        matrix_122 = rotation_B22(angle_B) @ matrix_122
    return matrix_122[0]


def _reach(matrix_22: tf.Tensor, size_2: tuple[int, int]) -> tf.Tensor:
    """Returns height and width of the box in the image that holds the window."""
    width_height_2 = tf.constant([float(size_2[1]), float(size_2[0])])
    return tf.linalg.matvec(tf.abs(matrix_22), width_height_2)[::-1]


def _around_rare_class(
    corner_2: tf.Tensor, strips: Strips, reach_2: tf.Tensor, cut: Cut, rng: StatelessRandom
) -> tf.Tensor:
    """Returns the corner of a box around a pixel of a rare class; `corner_2` if the image has none."""
    present_C = (tf.reduce_sum(strips.class_pixels_TC, axis=0) > 0) & tf.constant(cut.rare_C)
    lots_C = tf.stack([rng.between_B(f"class {index}", 0.0, 1.0)[0] for index in range(len(cut.rare_C))])
    chosen = tf.argmax(tf.where(present_C, lots_C, -1.0))

    def around() -> tf.Tensor:
        place_2 = find_pixel(strips, chosen, rng.between_B("pixel", 0.0, 1.0)[0])
        return tf.floor(tf.cast(place_2, tf.float32) + 0.5 - reach_2 / 2)

    return tf.cond(tf.reduce_any(present_C), around, lambda: corner_2)


def _warp_part(strips: Strips, matrix_22: tf.Tensor, corner_2: tf.Tensor, reach_2: tf.Tensor, cut: Cut) -> Pair:
    """Maps the box at `corner_2`, of height and width `reach_2`, to the window."""
    size_2 = strips.size_2
    begin_2 = tf.clip_by_value(tf.cast(tf.floor(corner_2), tf.int32) - _BORDER, 0, size_2 - 1)
    end_2 = tf.clip_by_value(tf.cast(tf.math.ceil(corner_2 + reach_2), tf.int32) + _BORDER, begin_2 + 1, size_2)
    image_RWC, mask_RW = read_rows(strips, begin_2[0], end_2[0], cut.pixels)
    image_part = tf.cast(image_RWC[:, begin_2[1] : end_2[1]], tf.float32)
    mask_part = mask_RW[:, begin_2[1] : end_2[1], tf.newaxis]
    middle_2 = corner_2 + reach_2 / 2 - 0.5 - tf.cast(begin_2, tf.float32)
    transform_18 = _projective(matrix_22, middle_2[::-1], cut.size_2)
    image = _resampled(image_part, transform_18, cut.size_2, "BILINEAR", "REFLECT")
    mask = _resampled(mask_part, transform_18, cut.size_2, "NEAREST", "CONSTANT")
    return as_pixels(image, image_RWC.dtype), mask[..., 0]


def _projective(matrix_22: tf.Tensor, middle_2: tf.Tensor, out_2: tuple[int, int]) -> tf.Tensor:
    """Returns the map in TensorFlow's format [1, 8]; `middle_2` is the window's centre, (x, y), in the source."""
    own_middle_2 = tf.constant([(out_2[1] - 1) / 2, (out_2[0] - 1) / 2])
    offset_2 = middle_2 - tf.linalg.matvec(matrix_22, own_middle_2)
    rows_23 = tf.concat([matrix_22, offset_2[:, tf.newaxis]], axis=1)
    return tf.pad(tf.reshape(rows_23, [1, 6]), [[0, 0], [0, 2]])


def _resampled(
    pixels_HWC: tf.Tensor, transform_18: tf.Tensor, out_2: tuple[int, int], interpolation: str, outside: str
) -> tf.Tensor:
    resampled = tf.raw_ops.ImageProjectiveTransformV3(
        images=pixels_HWC[tf.newaxis],
        transforms=transform_18,
        output_shape=list(out_2),
        fill_value=float(VOID),
        interpolation=interpolation,
        fill_mode=outside,
    )[0]
    return tf.ensure_shape(resampled, [*out_2, pixels_HWC.shape[-1]])
