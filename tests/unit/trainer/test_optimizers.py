"""Optimisers: what they are told reaches the weights."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from components.trainer.learning_config import Constant
from components.trainer.optimizers import build_optimizer
from components.trainer.schedules import LearningRate
from tests.support.networks import tiny_config


def one_step(gradient: float, weights: list[tf.Variable], **changes: object) -> keras.optimizers.Optimizer:
    config = tiny_config(**changes)
    optimizer = build_optimizer(config, LearningRate(config.learning_rate, Constant(), 1, 1), weights)
    optimizer.apply_gradients([(tf.fill(weight.shape, gradient), weight) for weight in weights])
    return optimizer


def weights() -> list[tf.Variable]:
    return [tf.Variable(tf.ones([2, 2]), name="kernel"), tf.Variable(tf.ones([2]), name="bias")]


def test_weight_decay_is_decoupled_and_spares_biases_and_normalisation() -> None:
    kernel, bias = weights()
    one_step(0.0, [kernel, bias], optimizer={"type": "adamw", "weight_decay": 0.1}, learning_rate=0.5)
    np.testing.assert_allclose(kernel, 1 - 0.5 * 0.1, rtol=1e-6)
    np.testing.assert_array_equal(bias, 1)


@pytest.mark.parametrize("weight_decay", [None, 0.1])
def test_adam_takes_the_steps_that_keras_takes(weight_decay: float | None) -> None:
    name = {"type": "adamw", "weight_decay": weight_decay} if weight_decay else {"type": "adam"}
    config = tiny_config(optimizer=name, learning_rate=0.1)
    mine, theirs = ([tf.Variable(tf.ones([3, 4]))] for _ in range(2))
    fused = build_optimizer(config, LearningRate(0.1, Constant(), 1, 1), mine)
    reference = keras.optimizers.Adam(0.1, weight_decay=weight_decay)
    for step in range(5):
        gradient = tf.random.stateless_normal([3, 4], [step, 1])
        fused.apply_gradients([(gradient, mine[0])])
        reference.apply_gradients([(gradient, theirs[0])])
        np.testing.assert_allclose(mine[0], theirs[0], rtol=1e-5)


def test_momentum_makes_the_last_step_again() -> None:
    kernel, _ = weights()
    optimizer = one_step(1.0, [kernel], optimizer={"type": "sgd", "momentum": 0.5}, learning_rate=0.1)
    optimizer.apply_gradients([(tf.zeros([2, 2]), kernel)])
    np.testing.assert_allclose(kernel, 1 - 0.1 - 0.05, rtol=1e-6)


def test_clipping_is_by_the_norm_of_all_gradients_together() -> None:
    kernel, bias = weights()
    one_step(5.0, [kernel, bias], optimizer={"type": "sgd", "momentum": 0}, learning_rate=1.0, clip_norm=0.6)
    np.testing.assert_allclose(kernel, 1 - 0.6 / 6**0.5, rtol=1e-5)
    np.testing.assert_allclose(bias, 1 - 0.6 / 6**0.5, rtol=1e-5)


@pytest.mark.parametrize(("precision", "scaled"), [("mixed_float16", True), ("mixed_bfloat16", False)])
def test_float16_alone_needs_its_loss_scaled(precision: str, scaled: bool) -> None:
    optimizer = one_step(0.0, weights(), precision=precision)
    assert isinstance(optimizer, keras.mixed_precision.LossScaleOptimizer) == scaled


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_a_name_is_enough(name: str) -> None:
    assert one_step(0.1, weights(), optimizer=name).iterations == 1
