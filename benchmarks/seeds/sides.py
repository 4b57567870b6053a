"""What a side of the comparison is given, and what it comes to."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tf_keras as keras

from components.trainer.architectures import Architecture


class Pair(NamedTuple):
    """A picture and its index mask, as files of any size."""

    image: str
    mask: str


class Setting(NamedTuple):
    """What both sides have in common."""

    architecture: Architecture
    height: int
    width: int
    num_classes: int
    batch_size: int
    epochs: int
    thawed_from: int | None
    """The epoch, counted from 1, from which a resting encoder is trained."""

    @property
    def resting_epochs(self) -> int:
        """Epochs in which the encoder rests, where it does at first."""
        return self.thawed_from - 1 if self.thawed_from else self.epochs


class Outcome(NamedTuple):
    """What a training comes to."""

    parameters: int
    """All weights, trained or not."""
    phases: Sequence[Sequence[float]]
    """Seconds of each epoch's training, phase by phase."""
    predictions: Mapping[str, np.ndarray]
    """Split → masks [N, H, W] in the order of the pairs."""


class EpochSeconds(keras.callbacks.Callback):
    """Takes the time of each epoch; one a phase."""

    def __init__(self) -> None:
        super().__init__()
        self._supports_tf_logs = True  # Or Keras would wait for the device after each step.
        self._began = 0.0
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Starts the clock."""
        self._began = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Stops it."""
        self.seconds.append(time.monotonic() - self._began)
