"""Which epochs, and which weights, a phase has."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from common.errors import UserError
from components.trainer.architectures import UNet
from components.trainer.learning_config import FineTuning
from components.trainer.models import build_model, encoder_of
from components.trainer.phases import Phase, phases, prepare
from components.transform.config import TransformConfig
from tests.support.networks import nested_network, tiny_config

TWO_PHASES = tiny_config(FineTuning(from_epoch=3, learning_rate=0.001), epochs=8, warm_up_epochs=1)


def test_without_fine_tuning_there_is_one_phase() -> None:
    assert phases(tiny_config(epochs=8)) == [Phase(0, 8, 0.01, 0, trains_encoder=True)]


def test_fine_tuning_begins_with_its_epoch_and_has_its_own_step_size_and_no_warm_up() -> None:
    assert phases(TWO_PHASES) == [
        Phase(0, 2, 0.01, 1, trains_encoder=False),
        Phase(2, 8, 0.001, 0, trains_encoder=True),
    ]


def test_an_encoder_may_rest_to_the_end() -> None:
    config = tiny_config(FineTuning(from_epoch=None), epochs=8)
    assert phases(config) == [Phase(0, 8, 0.01, 0, trains_encoder=False)]


def test_a_resting_encoder_has_nothing_to_train_and_then_all_but_its_normalisation() -> None:
    network = nested_network()
    first, second = phases(TWO_PHASES)
    prepare(network, first, TWO_PHASES)
    assert [weight.name for weight in network.trainable_weights] == ["head/kernel:0", "head/bias:0"]
    prepare(network, second, TWO_PHASES)
    assert [weight.name for weight in network.trainable_weights] == [
        *("conv/kernel:0", "conv/bias:0"),
        *("head/kernel:0", "head/bias:0"),
    ]


@pytest.mark.parametrize("phase", phases(TWO_PHASES), ids=["resting", "trained"])
def test_the_normalisation_of_a_real_encoder_stays_in_inference_mode(phase: Phase) -> None:
    image = keras.Input([32, 32, 3])
    encoder = keras.applications.MobileNetV2(input_shape=[32, 32, 3], include_top=False, weights=None, alpha=0.35)
    encoder._name = "encoder"
    network = keras.Model(image, keras.layers.Conv2D(1, 1)(encoder(image)))
    assert encoder_of(network) is encoder
    prepare(network, phase, TWO_PHASES)
    statistics = [weight for weight in encoder.weights if "moving" in weight.name]
    before = [weight.numpy() for weight in statistics]
    picture = tf.random.stateless_uniform([2, 32, 32, 3], [1, 2])
    np.testing.assert_array_equal(network(picture, training=True), network(picture, training=False))
    for weight, value in zip(statistics, before, strict=True):
        np.testing.assert_array_equal(weight, value)
    trained = {id(weight) for weight in network.trainable_weights}
    kernels = [weight for weight in encoder.weights if weight.shape.rank > 1]
    assert all((id(kernel) in trained) == phase.trains_encoder for kernel in kernels)


def test_a_network_without_an_encoder_says_so() -> None:
    network = build_model(
        UNet(width=4, depth=1), TransformConfig(height=32, width=32), 3, np.zeros(3, np.float32), np.ones(3, np.float32)
    )
    with pytest.raises(UserError, match="this network has none"):
        prepare(network, phases(TWO_PHASES)[0], TWO_PHASES)
