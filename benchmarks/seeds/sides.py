"""Input and result of one side of the comparison."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tf_keras as keras

from components.trainer.architectures import Architecture


class Pair(NamedTuple):
    """An image and its index mask, as files of any size."""

    image: str
    mask: str


class Setting(NamedTuple):
    """What both sides have in common: network, size, batch and epochs."""

    architecture: Architecture
    height: int
    width: int
    num_classes: int
    batch_size: int
    epochs: int
    fine_tuned_from: int | None
    """The epoch, counted from 1, from which a frozen encoder is trained."""

    @property
    def frozen_epochs(self) -> int:
        """Epochs in which the encoder is frozen, if it is at first."""
        return self.fine_tuned_from - 1 if self.fine_tuned_from else self.epochs


class Outcome(NamedTuple):
    """The result of a training."""

    parameters: int
    """All weights, trained or not."""
    phases: Sequence[Sequence[float]]
    """Seconds of each epoch's training, phase by phase."""
    scores: Sequence[Sequence[float]]
    """Mean IoU on the eval split after each epoch, phase by phase."""
    images_per_epoch: float
    """Images that an epoch trains on, changed copies included."""
    predictions: Mapping[str, np.ndarray]
    """Split → masks [N, H, W] in the order of the pairs."""


Score = Callable[[np.ndarray], float]
"""Predicted masks of the eval split, [N, H, W] → their mean IoU."""

Masks = Callable[[str], np.ndarray]
"""A split's name → its predicted masks [N, H, W], in the order of the pairs."""


def whole_batches(images: int, batch_size: int) -> int:
    """Steps of an epoch in `fit(steps_per_epoch=images // batch_size)`; at least one."""
    return max(images // batch_size, 1)


def repeated_images(images: int, batch_size: int) -> float:
    """Images of an epoch of `whole_batches` steps, if the dataset is batched before `repeat`: the mean over epochs."""
    return whole_batches(images, batch_size) * images / math.ceil(images / batch_size)


class EpochClock(keras.callbacks.Callback):
    """Takes the time of each epoch's training, then the score on the eval split; one a phase."""

    def __init__(self, score: Callable[[], float]) -> None:
        super().__init__()
        self._supports_tf_logs = True  # Or Keras would wait for the device after each step.
        self._began = 0.0
        self._score = score
        self.seconds: list[float] = []
        self.scores: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Starts the clock."""
        self._began = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Stops the clock."""
        self.seconds.append(time.monotonic() - self._began)
        self.scores.append(self._score())


def recipe_outcome(
    model: keras.Model, clocks: Sequence[EpochClock], images_per_epoch: float, splits: Iterable[str], masks: Masks
) -> Outcome:
    """The outcome of a recipe: its last weights predict."""
    trained = [clock for clock in clocks if clock.seconds]
    return Outcome(
        parameters=model.count_params(),
        phases=[clock.seconds for clock in trained],
        scores=[clock.scores for clock in trained],
        images_per_epoch=images_per_epoch,
        predictions={split: masks(split) for split in splits if split != "train"},
    )
