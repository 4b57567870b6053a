"""One step of training, whole and in parts."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from common.records import VOID
from components.trainer.losses.build_loss import build_loss
from components.trainer.losses.config import CrossEntropyTerm
from components.trainer.metrics import SegmentationMetrics
from components.trainer.train_step import TrainStep
from tests.support.networks import nested_network, plain_network
from tests.support.transformed import NUM_CLASSES


def batch(pictures: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    image_BHWC = random.integers(0, 256, [pictures, 32, 32, 3]).astype(np.uint8)
    return image_BHWC, random.integers(0, NUM_CLASSES, [pictures, 32, 32]).astype(np.uint8)


def train_step(parts: int, network: keras.Model, xla: bool = False) -> TrainStep:
    made = TrainStep(network, parts, xla)
    made.compile(
        keras.optimizers.SGD(0.5, jit_compile=False),
        build_loss([CrossEntropyTerm()], np.ones(NUM_CLASSES)),
        [SegmentationMetrics(NUM_CLASSES)],
    )
    return made


def after_a_step(parts: int, pictures: int, xla: bool = False) -> tuple[list[np.ndarray], dict[str, float]]:
    keras.utils.set_random_seed(1)
    made = train_step(parts, plain_network(), xla)
    data = tf.data.Dataset.from_tensors(batch(pictures))
    history = made.fit(data, verbose=0).history
    return made.get_weights(), {name: values[0] for name, values in history.items()}


@pytest.mark.parametrize(("parts", "pictures"), [(2, 6), (3, 7), (5, 2)], ids=["even", "uneven", "more than pictures"])
def test_parts_make_the_step_of_the_whole(parts: int, pictures: int) -> None:
    whole, figures = after_a_step(1, pictures)
    in_parts, figures_in_parts = after_a_step(parts, pictures)
    for expected, weight in zip(whole, in_parts, strict=True):
        np.testing.assert_allclose(weight, expected, rtol=1e-4, atol=1e-6)
    assert figures_in_parts["mean_iou"] == pytest.approx(figures["mean_iou"], rel=1e-6)
    if pictures >= parts:
        assert figures_in_parts["loss"] == pytest.approx(figures["loss"], rel=1e-3)


@pytest.mark.parametrize("parts", [1, 3])
def test_xla_makes_the_same_step(parts: int) -> None:
    plain, figures = after_a_step(parts, 7)
    compiled, compiled_figures = after_a_step(parts, 7, xla=True)
    for expected, weight in zip(plain, compiled, strict=True):
        np.testing.assert_allclose(weight, expected, rtol=1e-4, atol=1e-6)
    assert compiled_figures == pytest.approx(figures, rel=1e-4)


def test_normalisation_sees_each_part_as_a_batch() -> None:
    network = nested_network()
    features = keras.Model(network.inputs, network.get_layer("encoder").get_layer("conv")(network.layers[1].output))
    image, mask = batch(8)
    expected = np.zeros(8)
    for part in np.split(image, 4):
        expected = 0.9 * expected + 0.1 * features(part).numpy().mean(axis=(0, 1, 2))
    train_step(4, network).fit(tf.data.Dataset.from_tensors((image, mask)), verbose=0)
    norm = network.get_layer("encoder").get_layer("norm")
    np.testing.assert_allclose(norm.moving_mean, expected, rtol=1e-4, atol=1e-6)


def test_a_part_that_is_void_changes_nothing() -> None:
    network = plain_network()
    before = network.get_weights()
    image, mask = batch(2)
    train_step(2, network).fit(tf.data.Dataset.from_tensors((image, np.full_like(mask, VOID))), verbose=0)
    for expected, weight in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)
