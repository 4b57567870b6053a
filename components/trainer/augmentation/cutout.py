"""Cutout: hides a random window."""

from __future__ import annotations

import tensorflow as tf

from common.records import VOID
from components.trainer.augmentation.config import Cutout
from components.trainer.augmentation.pixels import as_pixels
from components.trainer.augmentation.stateless_random import StatelessRandom


def cut_out(
    image_BHWC: tf.Tensor, mask_BHW: tf.Tensor, config: Cutout, rng: StatelessRandom
) -> tuple[tf.Tensor, tf.Tensor]:
    """Fills one window per image with the mean colour in the image and void in the mask.

    The window's centre is anywhere in the image, so that a part of it may lie outside, as in the paper.
    """
    side_B = rng.between_B("cutout side", *config.side)
    # A window of size 0 is empty.
    side_B = tf.where(rng.chosen_B("cutout", config.probability), side_B, 0.0)
    rows_BH = _covered(rng.between_B("cutout y", 0.0, 1.0), side_B, mask_BHW.shape[1])
    columns_BW = _covered(rng.between_B("cutout x", 0.0, 1.0), side_B, mask_BHW.shape[2])
    cut_BHW = rows_BH[:, :, tf.newaxis] & columns_BW[:, tf.newaxis, :]
    mean_B11C = tf.reduce_mean(tf.cast(image_BHWC, tf.float32), axis=[1, 2], keepdims=True)
    filled = as_pixels(mean_B11C, image_BHWC.dtype)
    return tf.where(cut_BHW[..., tf.newaxis], filled, image_BHWC), tf.where(
        cut_BHW, tf.constant(VOID, tf.uint8), mask_BHW
    )


def _covered(middle_B: tf.Tensor, side_B: tf.Tensor, length: int) -> tf.Tensor:
    """Returns which of the `length` rows or columns have their centre inside, bool [B, length]."""
    place_N = (tf.range(length, dtype=tf.float32) + 0.5) / length
    return tf.abs(place_N - middle_B[:, tf.newaxis]) < side_B[:, tf.newaxis] / 2
