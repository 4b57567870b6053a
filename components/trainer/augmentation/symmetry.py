"""Flips and 90° rotations, which move pixels without interpolation."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from components.trainer.augmentation.config import Augmentation
from components.trainer.augmentation.stateless_random import StatelessRandom


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
    """Applies the same symmetry to images and masks, both uint8; without 90° rotations they need not be square."""
    if not (config.flip_horizontal or config.flip_vertical or config.quarter_turns):
        return image_BHWC, mask_BHW
    # Red, green, blue and class in one integer: image and mask are moved together.
    packed_BHW = tf.bitcast(tf.concat([image_BHWC, mask_BHW[..., tf.newaxis]], axis=-1), tf.int32)
    symmetry = draw_symmetry(config, rng)
    if config.quarter_turns:
        packed_BHW = _where(symmetry.rot180_B, tf.reverse(packed_BHW, axis=[1, 2]), packed_BHW)
        transposed = tf.transpose(packed_BHW, [0, 2, 1])
        packed_BHW = _where(symmetry.rot90_B, tf.reverse(transposed, axis=[1]), packed_BHW)
    if config.flip_horizontal:
        packed_BHW = _where(symmetry.horizontal_B, tf.reverse(packed_BHW, axis=[2]), packed_BHW)
    if config.flip_vertical:
        packed_BHW = _where(symmetry.vertical_B, tf.reverse(packed_BHW, axis=[1]), packed_BHW)
    both_BHW4 = tf.bitcast(packed_BHW, tf.uint8)
    return both_BHW4[..., :3], both_BHW4[..., 3]


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
    return tf.where(chosen_B[:, tf.newaxis, tf.newaxis], changed, as_is)
