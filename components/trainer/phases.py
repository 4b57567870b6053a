"""Phases of a training, and which weights each trains."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import tf_keras as keras

from common.errors import UserError
from components.trainer.config import TrainerConfig
from components.trainer.models import encoder_of


class Phase(NamedTuple):
    """A range of epochs, counted from 0, with one optimiser."""

    begin: int
    end: int
    """The epoch after its last."""
    learning_rate: float
    warm_up_epochs: int
    trains_encoder: bool

    @property
    def epochs(self) -> int:
        """The number of epochs."""
        return self.end - self.begin


def phases(config: TrainerConfig) -> list[Phase]:
    """Returns one phase of all epochs; or two with fine-tuning, in the first of which the encoder is frozen."""
    if config.fine_tuning is None or config.fine_tuning.from_epoch is None:
        trains_encoder = config.fine_tuning is None
        return [Phase(0, config.epochs, config.learning_rate, config.warm_up_epochs, trains_encoder)]
    change = config.fine_tuning.from_epoch - 1
    return [
        Phase(0, change, config.learning_rate, config.warm_up_epochs, trains_encoder=False),
        Phase(change, config.epochs, config.fine_tuning.learning_rate, 0, trains_encoder=True),
    ]


def prepare(network: keras.Model, phase: Phase, config: TrainerConfig) -> None:
    """Sets which layers are trainable, before the network is compiled for the phase.

    Keras runs a batch normalisation that is not trained in inference mode.

    Raises:
        UserError: the network has no encoder to freeze.
    """
    if config.fine_tuning is None:
        return
    encoder = encoder_of(network)
    if encoder is None:
        raise UserError(
            "trainer.fine_tuning needs an architecture with an encoder, but this network has none: leave it out"
        )
    encoder.trainable = phase.trains_encoder
    for layer in _batch_normalizations(encoder):
        layer.trainable = False


def _batch_normalizations(model: keras.Model) -> Iterator[keras.layers.Layer]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _batch_normalizations(layer)
        elif isinstance(layer, keras.layers.BatchNormalization):
            yield layer
