"""Random numbers for a batch, one an image, from a seed and the name of what they are for.

A change that is added to the configuration thus leaves the draws of the others as they were.
"""

from __future__ import annotations

import zlib

import tensorflow as tf


class Draws:
    """The draws of one batch."""

    def __init__(self, seed_2: tf.Tensor, batch: tf.Tensor) -> None:
        self._seed_2 = seed_2
        self._batch = batch

    def chosen_B(self, purpose: str, probability: float) -> tf.Tensor:
        """True for about that share of the images."""
        return self.between_B(f"{purpose}?", 0.0, 1.0) < probability

    def between_B(self, purpose: str, low: float | tf.Tensor, high: float | tf.Tensor) -> tf.Tensor:
        """Uniform between `low` and `high`, each one number or [B]; float32."""
        key = tf.constant(zlib.crc32(purpose.encode()), tf.int64)
        seed_2 = tf.random.experimental.stateless_fold_in(self._seed_2, key)
        return low + (high - low) * tf.random.stateless_uniform([self._batch], seed_2)

    def sometimes_B(
        self, purpose: str, probability: float, low: float | tf.Tensor, high: float | tf.Tensor, otherwise: float
    ) -> tf.Tensor:
        """`between_B` for the images that are chosen, and `otherwise` for the rest."""
        return tf.where(self.chosen_B(purpose, probability), self.between_B(purpose, low, high), otherwise)
