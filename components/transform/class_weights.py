"""Weights that keep rare classes from being ignored."""

from __future__ import annotations

import tensorflow as tf


def class_weights(pixels_C: tf.Tensor, scheme: str) -> tf.Tensor:
    """Weights [C], mean 1 over the classes that occur, from the number of training pixels of each class.

    A class of share f weighs 1 (`none`), 1/√f (`inverse_root`) or 1/f (`inverse`).  A class that never occurs weighs 1:
    no pixel will ever ask for it.
    """
    occurs_C = pixels_C > 0
    if scheme == "none":
        return tf.ones_like(pixels_C, tf.float32)
    pixels_C = tf.cast(pixels_C, tf.float64)
    share_C = tf.where(occurs_C, pixels_C / tf.maximum(tf.reduce_sum(pixels_C), 1.0), 1.0)
    raw_C = 1.0 / (tf.sqrt(share_C) if scheme == "inverse_root" else share_C)
    present_C = tf.cast(occurs_C, tf.float64)
    mean = tf.reduce_sum(raw_C * present_C) / tf.maximum(tf.reduce_sum(present_C), 1.0)
    return tf.cast(tf.where(occurs_C, raw_C / tf.maximum(mean, 1e-12), 1.0), tf.float32)
