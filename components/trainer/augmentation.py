"""Random changes to a batch, with one geometry for pictures and masks."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from components.trainer.config import Augmentation

Batch = tuple[tf.Tensor, tf.Tensor]


def augmenter(config: Augmentation) -> Callable[[tf.Tensor, tf.Tensor, tf.Tensor], Batch]:
    """A function of images [B, H, W, 3], masks [B, H, W] and a seed [2] that gives both, changed picture by picture."""

    def augment(image_BHWC: tf.Tensor, mask_BHW: tf.Tensor, seed_2: tf.Tensor) -> Batch:
        # One tensor of four channels, so that picture and mask cannot part.
        both_BHW4 = tf.concat([image_BHWC, mask_BHW[..., tf.newaxis]], axis=-1)
        seeds = tf.unstack(tf.random.experimental.stateless_split(seed_2, 3))
        if config.flip_horizontal:
            both_BHW4 = _sometimes(both_BHW4, tf.reverse(both_BHW4, axis=[2]), seeds[0])
        if config.flip_vertical:
            both_BHW4 = _sometimes(both_BHW4, tf.reverse(both_BHW4, axis=[1]), seeds[1])
        if config.quarter_turns:
            both_BHW4 = _quarter_turns(both_BHW4, seeds[2])
        return both_BHW4[..., :3], both_BHW4[..., 3]

    return augment


def _sometimes(as_is: tf.Tensor, changed: tf.Tensor, seed_2: tf.Tensor) -> tf.Tensor:
    chosen_B = tf.random.stateless_uniform([tf.shape(as_is)[0]], seed_2) < 0.5
    return tf.where(chosen_B[:, tf.newaxis, tf.newaxis, tf.newaxis], changed, as_is)


def _quarter_turns(square_BHWC: tf.Tensor, seed_2: tf.Tensor) -> tf.Tensor:
    """Turns each picture by 0°, 90°, 180° or 270°: a half turn and a transposition, each by a coin."""
    half_seed, transpose_seed = tf.unstack(tf.random.experimental.stateless_split(seed_2, 2))
    turned = _sometimes(square_BHWC, tf.reverse(square_BHWC, axis=[1, 2]), half_seed)
    quarter = tf.reverse(tf.transpose(turned, [0, 2, 1, 3]), axis=[1])
    return _sometimes(turned, quarter, transpose_seed)
