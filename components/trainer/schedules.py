"""Learning-rate schedules over the steps of a phase."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from typing import Any

import tensorflow as tf
import tf_keras as keras

from components.trainer.learning_config import Constant, Cosine, Plateau, Polynomial, Schedule, Step


class LearningRate(keras.optimizers.schedules.LearningRateSchedule):
    """Learning rate with a linear warm-up followed by a schedule."""

    def __init__(
        self, base: float, schedule: Schedule, epochs: int, steps_per_epoch: int, warm_up_epochs: int = 0
    ) -> None:
        """Must be created in the scope of the strategy.

        Args:
            base: The learning rate after the warm-up.
            schedule: The schedule after the warm-up.
            epochs: Epochs of the phase, including the warm-up.
            steps_per_epoch: Optimiser steps per epoch.
            warm_up_epochs: Epochs of the warm-up.
        """
        self._base = base
        self._schedule = schedule
        self._epochs = epochs - warm_up_epochs
        self._steps_per_epoch = steps_per_epoch
        self._warm_up_steps = warm_up_epochs * steps_per_epoch
        self.plateau_share = tf.Variable(1.0, trainable=False, name="plateau_share")

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Returns the learning rate of step `step`, counted from 0."""
        step = tf.cast(step, tf.float32)
        epochs_done = tf.maximum(step - self._warm_up_steps, 0.0) / self._steps_per_epoch
        share = _share(self._schedule, epochs_done, self._epochs) * self.plateau_share
        if self._warm_up_steps:
            share *= tf.minimum(1.0, (step + 1) / self._warm_up_steps)
        return self._base * share

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, for printing an optimiser."""
        return {"base": self._base, "schedule": self._schedule.model_dump()}


def _share(schedule: Schedule, epochs_done: tf.Tensor, epochs: int) -> tf.Tensor:
    """Returns the factor on the learning rate after so many epochs, including fractions."""
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
    """Returns the factor on the learning rate after epochs with these values of the monitored metric."""
    best, waited, falls = -math.inf, 0, 0
    for value in values:
        waited = 0 if value > best else waited + 1
        best = max(best, value)
        if waited == plateau.patience:
            waited, falls = 0, falls + 1
    return plateau.factor**falls


class LowerOnPlateau(keras.callbacks.Callback):
    """Callback that sets the factor of a plateau schedule before each epoch, from the metric of earlier ones.

    It has no state of its own, so a resumed training continues unchanged.
    """

    def __init__(
        self, rate: LearningRate, plateau: Plateau, first_epoch: int, reached: Callable[[], Iterable[float]]
    ) -> None:
        """Monitors `reached()`, the metric of all epochs so far, from epoch `first_epoch` (counted from 0) on."""
        super().__init__()
        self._rate = rate
        self._plateau = plateau
        self._first_epoch = first_epoch
        self._reached = reached

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Updates the learning rate."""
        values = itertools.islice(self._reached(), self._first_epoch, epoch)
        self._rate.plateau_share.assign(plateau_share(values, self._plateau))
