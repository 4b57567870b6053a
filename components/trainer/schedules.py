"""The step size over the steps of a phase."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from typing import Any

import tensorflow as tf
import tf_keras as keras

from components.trainer.learning_config import Constant, Cosine, Plateau, Polynomial, Schedule, Step


class LearningRate(keras.optimizers.schedules.LearningRateSchedule):
    """A step size that rises in a line over the warm-up, and then goes on as its schedule says."""

    def __init__(
        self, base: float, schedule: Schedule, epochs: int, steps_per_epoch: int, warm_up_epochs: int = 0
    ) -> None:
        """Must be made in the scope of the strategy.

        Args:
            base: The step size after the warm-up.
            schedule: How it goes on from there.
            epochs: Those of the phase, warm-up included.
            steps_per_epoch: Steps of the optimiser in each.
            warm_up_epochs: Those in which it rises.
        """
        self._base = base
        self._schedule = schedule
        self._epochs = epochs - warm_up_epochs
        self._steps_per_epoch = steps_per_epoch
        self._warm_up_steps = warm_up_epochs * steps_per_epoch
        self.plateau_share = tf.Variable(1.0, trainable=False, name="plateau_share")

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """The step size of step `step`, counted from 0."""
        step = tf.cast(step, tf.float32)
        epochs_done = tf.maximum(step - self._warm_up_steps, 0.0) / self._steps_per_epoch
        share = _share(self._schedule, epochs_done, self._epochs) * self.plateau_share
        if self._warm_up_steps:
            share *= tf.minimum(1.0, (step + 1) / self._warm_up_steps)
        return self._base * share

    def get_config(self) -> dict[str, Any]:
        """What it was made of, for whoever prints an optimiser."""
        return {"base": self._base, "schedule": self._schedule.model_dump()}


def _share(schedule: Schedule, epochs_done: tf.Tensor, epochs: int) -> tf.Tensor:
    """What is left of the step size after so many epochs, parts of an epoch included."""
    left = tf.maximum(1 - epochs_done / epochs, 0.0)
    match schedule:
        case Cosine(end=end):
            return end + (1 - end) * (1 - tf.cos(math.pi * left)) / 2
        case Polynomial(power=power, end=end):
            return end + (1 - end) * left**power
        case Step(every=every, factor=factor):
            return factor ** tf.floor(epochs_done / every)
        case Constant() | Plateau():
            return tf.ones_like(epochs_done)


def plateau_share(values: Iterable[float], plateau: Plateau) -> float:
    """What is left of the step size after epochs that reached these values of the watched metric."""
    best, waited, falls = -math.inf, 0, 0
    for value in values:
        waited = 0 if value > best else waited + 1
        best = max(best, value)
        if waited == plateau.patience:
            waited, falls = 0, falls + 1
    return plateau.factor**falls


class LowerOnPlateau(keras.callbacks.Callback):
    """Sets the share of a plateau before each epoch, from what was reached in those before it.

    It keeps nothing itself, so a training that is taken up again goes on as it would have.
    """

    def __init__(
        self, rate: LearningRate, plateau: Plateau, first_epoch: int, reached: Callable[[], Iterable[float]]
    ) -> None:
        """Watches `reached()`, the metric of all epochs so far, from epoch `first_epoch` (counted from 0) on."""
        super().__init__()
        self._rate = rate
        self._plateau = plateau
        self._first_epoch = first_epoch
        self._reached = reached

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Lowers the step size, or leaves it."""
        values = itertools.islice(self._reached(), self._first_epoch, epoch)
        self._rate.plateau_share.assign(plateau_share(values, self._plateau))
