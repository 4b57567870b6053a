"""Small networks, and trainings of them that take a second."""

from __future__ import annotations

from typing import Any

import tf_keras as keras

from components.trainer.architectures import UNet
from components.trainer.config import TrainerConfig
from components.trainer.learning_config import FineTuning
from tests.support.transformed import NUM_CLASSES

layers = keras.layers


def nested_network(*_: Any, side: int = 32, normalized: bool = True) -> keras.Model:
    """An encoder with batch normalisation under a head; takes what `build_model` takes, and looks at none of it."""
    picture = keras.Input([side, side, 3])
    features = layers.Conv2D(8, 3, padding="same", name="conv")(picture)
    if normalized:
        features = layers.BatchNormalization(momentum=0.9, name="norm")(features)
    features = layers.ReLU(name="relu")(features)
    encoder = keras.Model(picture, features, name="encoder")
    image = keras.Input([side, side, 3], name="image")
    scaled = layers.Rescaling(1 / 255, name="scaling")(image)
    logits = layers.Conv2D(NUM_CLASSES, 3, padding="same", name="head")(encoder(scaled))
    return keras.Model(image, layers.Activation("linear", dtype="float32", name="logits")(logits))


def plain_network(*_: Any) -> keras.Model:
    """The same without normalisation, so that how a batch is shared out makes no difference."""
    return nested_network(normalized=False)


def tiny_config(fine_tuning: FineTuning | None = None, **changes: Any) -> TrainerConfig:
    """A training of few steps; fine-tuning is put in past the check of the architecture, which tests replace."""
    settings: dict[str, Any] = {
        "model": UNet(width=4, depth=1),
        "batch_size": 4,
        "epochs": 3,
        "learning_rate": 0.01,
        "augmentation": {"flip_horizontal": False},
    }
    return TrainerConfig(**settings | changes).model_copy(update={"fine_tuning": fine_tuning})
