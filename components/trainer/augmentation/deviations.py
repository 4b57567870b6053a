"""Colour augmentation of images that are normalised by their own statistics: in units of the standard deviation.

Changes of brightness and contrast before such a normalisation would be undone by it.
"""

from __future__ import annotations

import tensorflow as tf

from components.trainer.augmentation.config import Augmentation
from components.trainer.augmentation.stateless_random import StatelessRandom

_CHANGES = ("brightness", "contrast", "invert")


def before_normalisation(config: Augmentation) -> Augmentation:
    """Returns the changes that are applied to the pixels themselves."""
    return config.model_copy(update={name: Augmentation.model_fields[name].default for name in _CHANGES})


def change_deviations(value_BHWC: tf.Tensor, config: Augmentation, rng: StatelessRandom) -> tf.Tensor:
    """Applies ±f·z + a to normalised images z: contrast f, brightness a, and the sign for an inverted image."""
    factor_B = tf.ones([tf.shape(value_BHWC)[0]])
    added_B = tf.zeros_like(factor_B)
    if config.contrast:
        extent = config.contrast.range
        factor_B = rng.sometimes_B("contrast", config.contrast.probability, 1 - extent, 1 + extent, 1.0)
    if config.brightness:
        extent = config.brightness.range
        added_B = rng.sometimes_B("brightness", config.brightness.probability, -extent, extent, 0.0)
    if config.invert:
        factor_B = tf.where(rng.chosen_B("invert", config.invert), -factor_B, factor_B)
    return value_BHWC * factor_B[:, tf.newaxis, tf.newaxis, tf.newaxis] + added_B[:, tf.newaxis, tf.newaxis, tf.newaxis]
