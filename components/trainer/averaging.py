"""A moving average of the weights, which is what is evaluated, kept and exported.

Keras' optimisers have one too, but put it into the model only when all epochs are over: the best epoch would be chosen
by other weights than those that it keeps, and statistics of batch normalisation are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras as keras


class WeightAverage(tf.__internal__.tracking.AutoTrackable):
    """average ← m·average + (1 − m)·weight after each step, statistics of batch normalisation included.

    m rises to its value as (1 + step) / (10 + step), or the first average would be mostly initial weights.  As an
    attribute of a model it is in the model's checkpoints, without being one of its weights.
    """

    def __init__(self, weights: Sequence[tf.Variable], momentum: float) -> None:
        """Begins with the weights as they are; must be made in the scope of the strategy."""
        self._momentum = momentum
        self._weights = weights
        # Each replica keeps its own, so that no step needs to talk about it; the mean of equal ones is what is read.
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
        """Takes in the weights after `steps_done` steps; called by each replica."""
        steps = tf.cast(steps_done, tf.float32)
        momentum = tf.minimum(self._momentum, (1 + steps) / (10 + steps))
        for value, weight in zip(self.values, self._weights, strict=True):
            value.assign(momentum * value + (1 - momentum) * weight)

    def put_in(self) -> list[tf.Tensor]:
        """Makes the averages the weights, and returns what these were."""
        before = [tf.identity(weight) for weight in self._weights]
        self.take_out(self.values)
        return before

    def take_out(self, before: Sequence[tf.Tensor]) -> None:
        """Makes the weights what they were."""
        for weight, value in zip(self._weights, before, strict=True):
            weight.assign(value)


class AverageInUse(keras.callbacks.Callback):
    """Lets the average stand in for the weights from the evaluation to the end of an epoch.

    In the list of callbacks it stands behind whoever keeps the best weights and before whoever backs up the training.
    """

    def __init__(self, average: WeightAverage) -> None:
        super().__init__()
        self._average = average
        self._before: list[tf.Tensor] = []

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Puts the averages in."""
        self._before = self._average.put_in()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Goes on with the weights themselves."""
        self._average.take_out(self._before)
        self._before = []
