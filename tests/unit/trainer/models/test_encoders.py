"""Encoders: skip layers, sizes and the input scaling of each."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import tf_keras as keras

from components.trainer.architectures import Encoder, EncoderName, EncoderUNet, UNet
from components.trainer.encoder_specs import STRIDES
from components.trainer.models import build_model, encoder_of
from components.trainer.models.encoders import encode, network_with_weights, skip_layers
from components.transform.config import TransformConfig

NAMES = get_args(EncoderName)
SIDE = 64
PUBLISHED_SIZES = {
    "mobilenet_v2": 2_257_984,
    "densenet121": 7_037_504,
    "vgg16": 14_714_688,
    "mobilenet": 3_228_864,
    "efficientnet_v2_b0": 5_919_312,
    "resnet50": 23_587_712,
}
PREPROCESSING = {
    "mobilenet_v2": keras.applications.mobilenet_v2.preprocess_input,
    "densenet121": keras.applications.densenet.preprocess_input,
    "vgg16": keras.applications.vgg16.preprocess_input,
    "mobilenet": keras.applications.mobilenet.preprocess_input,
    "efficientnet_v2_b0": keras.applications.efficientnet_v2.preprocess_input,
    "resnet50": keras.applications.resnet50.preprocess_input,
}


def small_unet(encoder: Encoder) -> keras.Model:
    config = EncoderUNet(encoder=encoder, widths=(8, 8, 8, 8))
    return build_model(config, TransformConfig(height=SIDE, width=SIDE, normalize="none"), 3, np.ones(3), np.ones(3))


@pytest.mark.parametrize("name", NAMES)
def test_an_encoder_has_its_published_size_and_its_skip_layers_have_strides_2_to_32(name: EncoderName) -> None:
    encoder = Encoder(name=name, weights="none")
    network = network_with_weights(encoder, SIDE, 2 * SIDE)
    assert network.count_params() == PUBLISHED_SIZES[name]
    for stride, layer in skip_layers(encoder).items():
        assert network.get_layer(layer).output.shape[1:3] == (SIDE // stride, 2 * SIDE // stride), layer


@pytest.mark.parametrize("name", NAMES)
def test_images_are_scaled_as_the_encoder_was_trained(name: EncoderName) -> None:
    image_BHWC = np.random.default_rng(1).integers(0, 256, [1, SIDE, SIDE, 3]).astype(np.float32)
    image = keras.Input([SIDE, SIDE, 3])
    encoder = Encoder(name=name, weights="none")
    features = encode(image, encoder, [skip_layers(encoder)[2], skip_layers(encoder)[4]])
    model = keras.Model(image, features)
    expected = encoder_of(model)(PREPROCESSING[name](image_BHWC.copy()), training=False)
    for ours, theirs in zip(model(image_BHWC, training=False), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "efficientnet_v2_b0"])
def test_bands_that_repeat_the_colours_give_the_features_of_the_colours(name: EncoderName) -> None:
    """EfficientNet is left out: Keras' own scales other than three channels differently (`EfficientNetV2`)."""
    image_BHWC = np.random.default_rng(1).integers(0, 256, [1, SIDE, SIDE, 3]).astype(np.float32)
    encoder = Encoder(name=name, weights="none")
    features = []
    for repeats in (1, 2):
        keras.utils.set_random_seed(3)  # The same weights for the colours.
        image = keras.Input([SIDE, SIDE, 3 * repeats])
        model = keras.Model(image, encode(image, encoder, [skip_layers(encoder)[4]]))
        features.append(model(np.tile(image_BHWC, repeats), training=False))
    np.testing.assert_allclose(*features, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", ["mobilenet", "mobilenet_v2"])
def test_alpha_makes_a_mobilenet_narrower(name: EncoderName) -> None:
    network = network_with_weights(Encoder(name=name, weights="none", alpha=0.5), SIDE, SIDE)
    assert network.count_params() < PUBLISHED_SIZES[name] / 2.5


def test_the_encoder_of_a_model_is_found_and_can_be_frozen_with_its_normalisation() -> None:
    model = small_unet(Encoder(name="mobilenet", weights="none"))
    encoder = encoder_of(model)
    assert len(encoder.outputs) == len(STRIDES)
    everything = len(model.trainable_weights)
    encoder.trainable = False
    assert len(model.trainable_weights) == everything - len(encoder.variables) + 2 * 27  # Two moving ones a norm.
    image_BHWC = np.random.default_rng(1).integers(0, 256, [2, SIDE, SIDE, 3]).astype(np.float32)
    before = [weight.numpy() for weight in encoder.weights]
    in_training = encoder(image_BHWC, training=True)
    for trained, served in zip(in_training, encoder(image_BHWC, training=False), strict=True):
        np.testing.assert_allclose(trained, served, atol=1e-5)
    for weight, value in zip(encoder.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_moving_statistics_follow_within_tens_of_steps() -> None:
    model = small_unet(Encoder(name="mobilenet_v2", weights="none"))
    encoder = encoder_of(model)
    layers = [*encoder.layers, *model.layers]
    norms = [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert {layer.momentum for layer in norms} == {0.9}
    image_BHWC = np.random.default_rng(1).integers(0, 256, [2, SIDE, SIDE, 3]).astype(np.float32) / 255
    first = keras.Model(encoder.input, [norms[0].input, norms[0].output])
    for _ in range(40):
        seen, _ = first(image_BHWC, training=True)
    np.testing.assert_allclose(norms[0].moving_mean, seen.numpy().mean((0, 1, 2)), rtol=0.05, atol=0.01)


def test_a_plain_unet_has_no_encoder() -> None:
    config = TransformConfig(height=SIDE, width=SIDE)
    assert encoder_of(build_model(UNet(width=2, depth=1), config, 2, np.ones(3), np.ones(3))) is None
