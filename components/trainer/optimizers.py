"""From gradients to steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras as keras

from components.trainer.config import TrainerConfig
from components.trainer.learning_config import SGD, Adam, AdamW


def build_optimizer(
    config: TrainerConfig,
    learning_rate: keras.optimizers.schedules.LearningRateSchedule,
    weights: Sequence[tf.Variable],
) -> keras.optimizers.Optimizer:
    """The optimiser of `weights`, in the scope of the strategy, with its state in place.

    Keras would make the state in the first step; but then a backup is restored into it too late to be whole, and with
    mixed precision it would be made in half precision.
    """
    optimizer = _optimizer(config, learning_rate)
    if isinstance(config.optimizer, AdamW):
        optimizer.exclude_from_weight_decay([weight for weight in weights if weight.shape.rank <= 1])
    if config.precision == "mixed_float16":  # Its gradients would vanish; bfloat16 has the range of float32.
        optimizer = keras.mixed_precision.LossScaleOptimizer(optimizer)
    optimizer.build(weights)
    return optimizer


def _optimizer(
    config: TrainerConfig, learning_rate: keras.optimizers.schedules.LearningRateSchedule
) -> keras.optimizers.Optimizer:
    # Keras would compile the optimiser's step by XLA wherever there is a GPU.
    common: dict[str, Any] = {"global_clipnorm": config.clip_norm, "jit_compile": config.xla}
    match config.optimizer:
        case Adam():
            return keras.optimizers.Adam(learning_rate, **common)
        case AdamW(weight_decay=weight_decay):
            return keras.optimizers.AdamW(learning_rate, weight_decay=weight_decay, **common)
        case SGD(momentum=momentum, nesterov=nesterov):
            return keras.optimizers.SGD(learning_rate, momentum=momentum, nesterov=nesterov, **common)
