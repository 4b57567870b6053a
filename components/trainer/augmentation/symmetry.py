"""Flips and 90° rotations, which move pixels without interpolation."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from components.trainer.augmentation.config import Augmentation
from components.trainer.augmentation.stateless_random import StatelessRandom

_RGB = 3


class Symmetry(NamedTuple):
    """The symmetry of the square for each image, bool [B]: first the rotations, then the flips."""

    rot180_B: tf.Tensor
    rot90_B: tf.Tensor
    horizontal_B: tf.Tensor
    vertical_B: tf.Tensor


def draw_symmetry(config: Augmentation, rng: StatelessRandom) -> Symmetry:
    """StatelessRandom 0°, 90°, 180° and 270° with equal probability, by two bits."""
    turned_B = rng.chosen_B("quarter_turns", config.quarter_turns)
    return Symmetry(
        rot180_B=turned_B & rng.chosen_B("half turn", 0.5),
        rot90_B=turned_B & rng.chosen_B("quarter turn", 0.5),
        horizontal_B=rng.chosen_B("flip_horizontal", config.flip_horizontal),
        vertical_B=rng.chosen_B("flip_vertical", config.flip_vertical),
    )


def move_pixels(
    image_BHWC: tf.Tensor, mask_BHW: tf.Tensor, config: Augmentation, rng: StatelessRandom
) -> tuple[tf.Tensor, tf.Tensor]:
    """Applies the same symmetry to images and masks; without 90° rotations they need not be square."""
    if not (config.flip_horizontal or config.flip_vertical or config.quarter_turns):
        return image_BHWC, mask_BHW
    symmetry = draw_symmetry(config, rng)
    if image_BHWC.dtype != tf.uint8 or image_BHWC.shape[-1] != _RGB:
        return _moved(image_BHWC, config, symmetry), _moved(mask_BHW[..., tf.newaxis], config, symmetry)[..., 0]
    # Red, green, blue and class in one integer: image and mask are moved together.
    packed_BHW = tf.bitcast(tf.concat([image_BHWC, mask_BHW[..., tf.newaxis]], axis=-1), tf.int32)
    both_BHW4 = tf.bitcast(_moved(packed_BHW[..., tf.newaxis], config, symmetry)[..., 0], tf.uint8)
    return both_BHW4[..., :3], both_BHW4[..., 3]


def _moved(pixels_BHWC: tf.Tensor, config: Augmentation, symmetry: Symmetry) -> tf.Tensor:
    if config.quarter_turns:
        pixels_BHWC = _where(symmetry.rot180_B, tf.reverse(pixels_BHWC, axis=[1, 2]), pixels_BHWC)
        transposed = tf.transpose(pixels_BHWC, [0, 2, 1, 3])
        pixels_BHWC = _where(symmetry.rot90_B, tf.reverse(transposed, axis=[1]), pixels_BHWC)
    if config.flip_horizontal:
        pixels_BHWC = _where(symmetry.horizontal_B, tf.reverse(pixels_BHWC, axis=[2]), pixels_BHWC)
    if config.flip_vertical:
        pixels_BHWC = _where(symmetry.vertical_B, tf.reverse(pixels_BHWC, axis=[1]), pixels_BHWC)
    return pixels_BHWC


def matrix_B22(symmetry: Symmetry) -> tf.Tensor:
    """Returns the map from (x, y) in the changed image to the original, both from the centre; exact."""

    def where(chosen_B: tf.Tensor, matrix: list[list[float]]) -> tf.Tensor:
        return tf.where(chosen_B[:, tf.newaxis, tf.newaxis], tf.constant(matrix), tf.eye(2))

    turned_B22 = where(symmetry.rot180_B, [[-1.0, 0.0], [0.0, -1.0]]) @ where(
        symmetry.rot90_B, [[0.0, -1.0], [1.0, 0.0]]
    )
    mirrored_B22 = where(symmetry.horizontal_B, [[-1.0, 0.0], [0.0, 1.0]]) @ where(
        symmetry.vertical_B, [[1.0, 0.0], [0.0, -1.0]]
    )
    return turned_B22 @ mirrored_B22


def _where(chosen_B: tf.Tensor, changed: tf.Tensor, as_is: tf.Tensor) -> tf.Tensor:
    return tf.where(chosen_B[:, tf.newaxis, tf.newaxis, tf.newaxis], changed, as_is)
