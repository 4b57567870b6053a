"""Exponential moving average (EMA) of the weights, which is evaluated, kept and exported.

Keras' optimisers have an EMA too, but put it into the model only after all epochs: the best epoch would be chosen
by weights other than those that are kept, and statistics of batch normalisation are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras as keras


class WeightAverage(tf.__internal__.tracking.AutoTrackable):
    """EMA of the weights: average ← m·average + (1 − m)·weight after each step, including batch statistics.

    m rises to its value as (1 + step) / (10 + step); otherwise the first averages would be mostly initial weights.
    As an attribute of a model it is in the model's checkpoints, but not one of its weights.
    """

    def __init__(self, weights: Sequence[tf.Variable], momentum: float) -> None:
        """Starts from the current weights; must be created in the scope of the strategy."""
        self._momentum = momentum
        self._weights = weights
        # Each replica keeps its own copy, so that no step needs communication; reading takes the mean of equal values.
        self.values = [
            tf.Variable(
                tf.identity(weight),
                trainable=False,
                synchronization=tf.VariableSynchronization.ON_READ,
                aggregation=tf.VariableAggregation.MEAN,
            )
            for weight in weights
        ]

    def update(self, steps_done: tf.Tensor) -> None:
        """Updates the averages after `steps_done` steps; called by each replica."""
        steps = tf.cast(steps_done, tf.float32)
        momentum = tf.minimum(self._momentum, (1 + steps) / (10 + steps))
        for value, weight in zip(self.values, self._weights, strict=True):
            value.assign(momentum * value + (1 - momentum) * weight)

    def put_in(self) -> list[tf.Tensor]:
        """Replaces the weights by the averages, and returns the weights."""
        before = [tf.identity(weight) for weight in self._weights]
        self.take_out(self.values)
        return before

    def take_out(self, before: Sequence[tf.Tensor]) -> None:
        """Restores the weights."""
        for weight, value in zip(self._weights, before, strict=True):
            weight.assign(value)


class AverageInUse(keras.callbacks.Callback):
    """Replaces the weights by the averages from the evaluation to the end of an epoch.

    In the list of callbacks it comes after the one that keeps the best weights and before the one that saves backups.
    """

    def __init__(self, average: WeightAverage) -> None:
        super().__init__()
        self._average = average
        self._before: list[tf.Tensor] = []

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Swaps the averages in."""
        self._before = self._average.put_in()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Swaps the weights back."""
        self._average.take_out(self._before)
        self._before = []
