"""Colour augmentation, which does not move pixels.

Each change maps float32 values in 0…1 to values in 0…1, with one parameter per image.
"""

from __future__ import annotations

import math

import tensorflow as tf

from components.trainer.augmentation.config import Augmentation
from components.trainer.augmentation.pixels import as_pixels
from components.trainer.augmentation.stateless_random import StatelessRandom


def changes_colours(config: Augmentation) -> bool:
    """Returns whether any colour augmentation is configured."""
    return any((config.brightness, config.contrast, config.gamma, config.saturation, config.hue, config.invert))


def change_colours(image_BHWC: tf.Tensor, config: Augmentation, rng: StatelessRandom) -> tf.Tensor:
    """Applies the configured colour changes in the order of the configuration's fields; the type stays the same."""
    value_BHWC = tf.cast(image_BHWC, tf.float32) / 255.0
    if config.brightness:
        extent = config.brightness.range
        added_B = rng.sometimes_B("brightness", config.brightness.probability, -extent, extent, 0.0)
        value_BHWC = brightened(value_BHWC, added_B)
    if config.contrast:
        extent = config.contrast.range
        factor_B = rng.sometimes_B("contrast", config.contrast.probability, 1 - extent, 1 + extent, 1.0)
        value_BHWC = contrasted(value_BHWC, factor_B)
    if config.gamma:
        extent = math.log1p(config.gamma.range)
        logarithm_B = rng.sometimes_B("gamma", config.gamma.probability, -extent, extent, 0.0)
        value_BHWC = gamma_corrected(value_BHWC, tf.exp(logarithm_B))
    if config.saturation or config.hue:
        value_BHWC = tinted(value_BHWC, *_draw_tint(config, rng))
    if config.invert:
        value_BHWC = tf.where(_each(rng.chosen_B("invert", config.invert)), 1.0 - value_BHWC, value_BHWC)
    return as_pixels(255.0 * value_BHWC, image_BHWC.dtype)


def brightened(value_BHWC: tf.Tensor, added_B: tf.Tensor) -> tf.Tensor:
    """Brightness: x + a."""
    return tf.clip_by_value(value_BHWC + _each(added_B), 0.0, 1.0)


def contrasted(value_BHWC: tf.Tensor, factor_B: tf.Tensor) -> tf.Tensor:
    """Contrast: m + f·(x − m), where m is the mean of the channel over the image."""
    mean = tf.reduce_mean(value_BHWC, axis=[1, 2], keepdims=True)
    return tf.clip_by_value(mean + _each(factor_B) * (value_BHWC - mean), 0.0, 1.0)


def gamma_corrected(value_BHWC: tf.Tensor, exponent_B: tf.Tensor) -> tf.Tensor:
    """Gamma: x^γ."""
    # Several times faster than `tf.pow`, which is not vectorised; 0 becomes −∞ and then 0 again.
    return tf.exp(_each(exponent_B) * tf.math.log(value_BHWC))


def tinted(value_BHWC: tf.Tensor, saturation_B: tf.Tensor, hue_B: tf.Tensor) -> tf.Tensor:
    """Scales saturation and shifts hue by a share of the circle, in HSV."""
    hue, saturation, value = tf.unstack(tf.image.rgb_to_hsv(value_BHWC), axis=-1)
    hue = tf.math.floormod(hue + hue_B[:, tf.newaxis, tf.newaxis], 1.0)
    saturation = tf.minimum(saturation * saturation_B[:, tf.newaxis, tf.newaxis], 1.0)
    return tf.clip_by_value(tf.image.hsv_to_rgb(tf.stack([hue, saturation, value], axis=-1)), 0.0, 1.0)


def _draw_tint(config: Augmentation, rng: StatelessRandom) -> tuple[tf.Tensor, tf.Tensor]:
    saturation = (config.saturation.probability, config.saturation.range) if config.saturation else (0.0, 0.0)
    hue = (config.hue.probability, config.hue.range) if config.hue else (0.0, 0.0)
    return (
        rng.sometimes_B("saturation", saturation[0], 1 - saturation[1], 1 + saturation[1], 1.0),
        rng.sometimes_B("hue", hue[0], -hue[1], hue[1], 0.0),
    )


def _each(parameter_B: tf.Tensor) -> tf.Tensor:
    return parameter_B[:, tf.newaxis, tf.newaxis, tf.newaxis]
