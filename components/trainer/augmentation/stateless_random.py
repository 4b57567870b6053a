"""Stateless random numbers for a batch, one per image, from a seed and a name.

So a change that is added to the configuration does not alter the random numbers of the others.
"""

from __future__ import annotations

import zlib

import tensorflow as tf


class StatelessRandom:
    """Stateless random numbers of one batch."""

    def __init__(self, seed_2: tf.Tensor, batch: tf.Tensor) -> None:
        self._seed_2 = seed_2
        self._batch = batch

    def chosen_B(self, purpose: str, probability: float) -> tf.Tensor:
        """Returns True with this probability for each image."""
        return self.between_B(f"{purpose}?", 0.0, 1.0) < probability

    def between_B(self, purpose: str, low: float | tf.Tensor, high: float | tf.Tensor) -> tf.Tensor:
        """Returns uniform float32 numbers between `low` and `high`, each a number or [B]."""
        key = tf.constant(zlib.crc32(purpose.encode()), tf.int64)
        seed_2 = tf.random.experimental.stateless_fold_in(self._seed_2, key)
        return low + (high - low) * tf.random.stateless_uniform([self._batch], seed_2)

    def sometimes_B(
        self, purpose: str, probability: float, low: float | tf.Tensor, high: float | tf.Tensor, otherwise: float
    ) -> tf.Tensor:
        """Returns `between_B` for chosen images, and `otherwise` for the rest."""
        return tf.where(self.chosen_B(purpose, probability), self.between_B(purpose, low, high), otherwise)
