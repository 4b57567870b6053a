"""Optimisers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras as keras

from components.trainer.config import TrainerConfig
from components.trainer.learning_config import SGD, Adam, AdamW


class FusedAdam(keras.optimizers.Adam):
    """Adam with one fused operation per weight.

    Keras uses some ten operations, each of which reads and writes a tensor as large as the weight; on a CPU a step
    then takes three times as long.  The formula is the same: that of TensorFlow's kernel `ApplyAdam`.
    """

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable) -> None:
        """Updates `variable` and the moments of its gradients."""
        dtype, index = variable.dtype, self._index_dict[self._var_key(variable)]
        step = tf.cast(self.iterations + 1, dtype)
        beta_1, beta_2 = tf.cast(self.beta_1, dtype), tf.cast(self.beta_2, dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].handle,
            v=self._velocities[index].handle,
            beta1_power=tf.pow(beta_1, step),
            beta2_power=tf.pow(beta_2, step),
            lr=tf.cast(self.learning_rate, dtype),
            beta1=beta_1,
            beta2=beta_2,
            epsilon=tf.cast(self.epsilon, dtype),
            grad=gradient,
        )


def build_optimizer(
    config: TrainerConfig,
    learning_rate: keras.optimizers.schedules.LearningRateSchedule,
    weights: Sequence[tf.Variable],
) -> keras.optimizers.Optimizer:
    """Returns the optimiser of `weights` with its state, created in the scope of the strategy.

    Keras would create the state in the first step; a backup would then be restored too late, and with
    mixed precision the state would be in half precision.
    """
    optimizer = _optimizer(config, learning_rate)
    if isinstance(config.optimizer, AdamW):
        optimizer.exclude_from_weight_decay([weight for weight in weights if weight.shape.rank <= 1])
    if config.precision == "mixed_float16":  # Gradients would underflow in float16; bfloat16 has the range of float32.
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
            return FusedAdam(learning_rate, **common)
        case AdamW(weight_decay=weight_decay):
            return FusedAdam(learning_rate, weight_decay=weight_decay, **common)  # Adam with it is AdamW.
        case SGD(momentum=momentum, nesterov=nesterov):
            return keras.optimizers.SGD(learning_rate, momentum=momentum, nesterov=nesterov, **common)
