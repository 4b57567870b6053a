"""Architectures: shapes, sizes and gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from components.trainer.architectures import UNet
from components.trainer.models import build_model
from components.trainer.models.blocks import Repeated, normalisation, num_groups
from components.transform.config import TransformConfig


def model_of(config: UNet, num_classes: int, side: int = 32, normalize: str = "channel"):  # type: ignore[no-untyped-def]
    transform = TransformConfig(height=side, width=side, normalize=normalize)
    return build_model(config, transform, num_classes, np.array([10.0, 20, 30]), np.array([2.0, 4, 5]))


def unet_weights(width: int, depth: int, outputs: int) -> int:
    """Trainable weights of a padded U-Net with batch normalisation, counted layer by layer."""

    def double(inputs: int, channels: int) -> int:
        return 9 * channels * (inputs + channels) + 4 * channels

    total, inputs = 0, 3
    for level in range(depth + 1):
        total += double(inputs, width * 2**level)
        inputs = width * 2**level
    for level in reversed(range(depth)):
        channels = width * 2**level
        total += 4 * channels * 2 * channels + channels + double(2 * channels, channels)
    return total + width * outputs + outputs


@pytest.mark.parametrize(("num_classes", "channels"), [(2, 1), (3, 3), (59, 59)])
def test_two_classes_share_one_logit_and_more_have_one_each(num_classes: int, channels: int) -> None:
    logits = model_of(UNet(width=4, depth=2), num_classes)(tf.zeros([2, 32, 32, 3]))
    assert logits.shape == (2, 32, 32, channels)
    assert logits.dtype == tf.float32


@pytest.mark.parametrize(("width", "depth"), [(4, 1), (8, 3), (64, 4)])
def test_a_unet_has_the_weights_that_its_paper_implies(width: int, depth: int) -> None:
    model = model_of(UNet(width=width, depth=depth), 2)
    assert sum(math.prod(weight.shape) for weight in model.trainable_weights) == unet_weights(width, depth, 1)


@pytest.mark.parametrize(("written", "read"), [(True, "batch"), (False, "none"), ("group", "group")])
def test_the_older_true_and_false_of_normalise_are_still_read(written: bool | str, read: str) -> None:
    assert UNet.model_validate({"normalise": written}).normalise == read


@pytest.mark.parametrize(
    ("channels", "groups"),
    [(1, 1), (2, 1), (6, 1), (8, 2), (12, 3), (16, 4), (64, 16), (128, 32), (1024, 32)],
)
def test_a_group_has_four_channels_or_more(channels: int, groups: int) -> None:
    assert num_groups(channels) == groups


def test_group_normalisation_is_the_formula_of_its_paper() -> None:
    """Equation 1 of Wu and He (2018): mean and deviation over height, width and the channels of a group."""
    features_BHWC = np.random.default_rng(2).normal(3, 2, [2, 4, 6, 8]).astype(np.float32)
    by_group = features_BHWC.reshape(2, 4, 6, 2, 4)
    mean, variance = (f(by_group, axis=(1, 2, 4), keepdims=True) for f in (np.mean, np.var))
    expected = ((by_group - mean) / np.sqrt(variance + 1e-5)).reshape(features_BHWC.shape)
    np.testing.assert_allclose(normalisation(features_BHWC, "group", "norm"), expected, atol=1e-5)


def test_repeated_pixels_are_those_of_keras_and_their_gradient_is_compiled_by_xla() -> None:
    """XLA has no gradient of `UpSampling2D`, so that FPN and DeepLabV3+ could not be trained with `trainer.xla`."""
    features_BHWC = tf.random.stateless_uniform([2, 3, 4, 5], [1, 2])
    repeated = Repeated((2, 3))

    @tf.function(jit_compile=True)
    def gradient() -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(features_BHWC)
            loss = tf.reduce_sum(repeated(features_BHWC) ** 2)
        return tape.gradient(loss, features_BHWC)

    np.testing.assert_array_equal(repeated(features_BHWC), keras.layers.UpSampling2D((2, 3))(features_BHWC))
    np.testing.assert_allclose(gradient(), 12 * features_BHWC, rtol=1e-6)


def test_a_unet_with_group_normalisation_gives_an_image_the_same_logits_in_every_batch() -> None:
    model = model_of(UNet(width=8, depth=2, normalise="group"), 3)
    trained = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    assert trained == model.count_params() == unet_weights(8, 2, 3)  # A scale and an offset, but no moving statistics.
    image_BHWC = tf.random.stateless_uniform([3, 32, 32, 3], [1, 2], 0, 255)
    together, alone = model(image_BHWC, training=True), model(image_BHWC[:1], training=True)
    np.testing.assert_allclose(together[:1], alone, atol=1e-5)
    np.testing.assert_allclose(model(image_BHWC[:1], training=False), alone, atol=1e-5)


def test_the_published_size_is_31_million() -> None:
    """The original, with one input channel, biases and no normalisation, has 31.03 million weights."""
    assert unet_weights(64, 4, 1) == pytest.approx(31.03e6, rel=0.001)


def test_gradients_reach_every_weight() -> None:
    model = model_of(UNet(width=4, depth=3, dropout=0.2), 3)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model(tf.random.stateless_uniform([2, 32, 32, 3], [1, 2], 0, 255), training=True) ** 2)
    gradients = tape.gradient(loss, model.trainable_weights)
    for gradient, weight in zip(gradients, model.trainable_weights, strict=True):
        assert gradient is not None, weight.name
        assert float(tf.reduce_sum(tf.abs(gradient))) > 0 or "transpose" in weight.name or "bias" in weight.name


@pytest.mark.parametrize(
    ("normalize", "expected"),
    [("channel", [0, 1, 2]), ("unit", [10 / 255, 24 / 255, 40 / 255]), ("none", [10, 24, 40])],
)
def test_scaling_is_part_of_the_model(normalize: str, expected: list[float]) -> None:
    model = model_of(UNet(width=4, depth=1), 2, normalize=normalize)
    picture = tf.tile(tf.constant([[[[10.0, 24, 40]]]]), [1, 32, 32, 1])
    np.testing.assert_allclose(model.get_layer("scaling")(picture)[0, 0, 0], expected, rtol=1e-5, atol=1e-6)
