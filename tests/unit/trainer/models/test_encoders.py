"""Encoders: skip layers, sizes and the input scaling of each."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any, get_args

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from tf_keras.src.applications.convnext import ConvNeXt

from components.trainer.architectures import Encoder, EncoderName, EncoderUNet, UNet
from components.trainer.encoder_specs import ENCODERS, STRIDES
from components.trainer.models import build_model, encoder_of
from components.trainer.models.encoders import encode, features_at, network_with_weights, skip_layers, with_depthwise
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
    "resnet101": 42_658_176,
    "mobilenet_v3_small": 939_120,
    "mobilenet_v3_large": 2_996_352,
    "efficientnet_v2_s": 20_331_360,
    "convnext_tiny": 27_820_128,
    "mit_b0": 3_319_392,
    "mit_b1": 13_151_424,
    "mit_b2": 24_196_288,
}
"""Without the classifier; those of Mix Transformers as `transformers` 4.46.3 counts them (`SegformerEncoder`)."""
CLASSIFIERS = {
    "resnet101": (2048 * 1000 + 1000, 44_707_176),
    "mobilenet_v3_small": (576 * 1024 + 1024 + 1024 * 1000 + 1000, 2_554_968),
    "mobilenet_v3_large": (960 * 1280 + 1280 + 1280 * 1000 + 1000, 5_507_432),
    "efficientnet_v2_s": (1280 * 1000 + 1000, 21_612_360),
    "convnext_tiny": (768 * 1000 + 1000, 28_589_128),
}
"""Weights of the classifier, and of the whole network as Keras publishes it (https://keras.io/api/applications)."""
PREPROCESSING = {
    "mobilenet_v2": keras.applications.mobilenet_v2.preprocess_input,
    "densenet121": keras.applications.densenet.preprocess_input,
    "vgg16": keras.applications.vgg16.preprocess_input,
    "mobilenet": keras.applications.mobilenet.preprocess_input,
    "resnet50": keras.applications.resnet50.preprocess_input,
    "resnet101": keras.applications.resnet.preprocess_input,
}
"""Of the networks that do not scale their input themselves as Keras builds them."""
AT_4 = ("convnext_tiny", "mit_b0", "mit_b1", "mit_b2")
"""Encoders that begin with stride 4."""
LARGE = ("resnet101", "efficientnet_v2_s", "convnext_tiny", "mobilenet_v3_large", "mit_b1", "mit_b2")
"""Networks that take many seconds to build."""


def marked(names: Iterable[str]) -> list[Any]:
    """Parameters of a test, which is slow for the large networks."""
    return [pytest.param(name, marks=pytest.mark.slow) if name in LARGE else name for name in names]


@functools.lru_cache(maxsize=1)
def networks(name: EncoderName) -> tuple[keras.Model, keras.Model]:
    """The model from images to the features at the least and at the last stride, and its encoder."""
    image = keras.Input([SIDE, SIDE, 3])
    encoder = Encoder(name=name, weights="none")
    names = list(skip_layers(encoder).values())
    model = keras.Model(image, encode(image, encoder, [names[0], names[-1]]))
    return model, encoder_of(model)


def small_unet(encoder: Encoder) -> keras.Model:
    config = EncoderUNet(encoder=encoder, widths=(8, 8, 8, 8))
    return build_model(config, TransformConfig(height=SIDE, width=SIDE, normalize="none"), 3, np.ones(3), np.ones(3))


@pytest.mark.parametrize("name", marked(NAMES))
def test_an_encoder_has_its_published_size_and_its_skip_layers_have_strides_2_to_32(name: EncoderName) -> None:
    encoder = Encoder(name=name, weights="none")
    with tf.Graph().as_default():  # Without the time for random weights.
        network = network_with_weights(encoder, SIDE, 2 * SIDE)
        assert network.count_params() == PUBLISHED_SIZES[name]
        shapes = {stride: features_at(network, layer).shape for stride, layer in skip_layers(encoder).items()}
    assert {stride: tuple(shape[1:3]) for stride, shape in shapes.items()} == {
        stride: (SIDE // stride, 2 * SIDE // stride) for stride in STRIDES if stride != 2 or name not in AT_4
    }


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_published_network_is_the_encoder_and_its_classifier(name: str) -> None:
    classifier, whole = CLASSIFIERS[name]
    assert PUBLISHED_SIZES[name] + classifier == whole


@pytest.mark.parametrize("name", marked(PREPROCESSING), scope="module")
def test_images_are_scaled_as_the_encoder_was_trained(name: EncoderName) -> None:
    image_BHWC = np.random.default_rng(1).integers(0, 256, [1, SIDE, SIDE, 3]).astype(np.float32)
    model, encoder = networks(name)
    expected = encoder(PREPROCESSING[name](image_BHWC.copy()), training=False)
    for ours, theirs in zip(model(image_BHWC, training=False), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", marked(name for name in NAMES if ENCODERS[name].scales_itself), scope="module")
def test_features_are_those_of_the_network_that_scales_its_input_itself(name: EncoderName) -> None:
    image_BHWC = np.random.default_rng(1).integers(0, 256, [1, SIDE, SIDE, 3]).astype(np.float32)
    model, encoder = networks(name)
    build = getattr(keras.applications, ENCODERS[name].application)
    theirs = build(include_top=False, weights=None, input_shape=(SIDE, SIDE, 3))
    theirs.set_weights([np.reshape(*pair) for pair in _with_shapes(encoder.get_weights(), theirs)])
    expected = theirs(image_BHWC, training=False)
    np.testing.assert_allclose(model(image_BHWC, training=False)[-1], expected, rtol=1e-3, atol=1e-4)


def _with_shapes(weights: list[np.ndarray], network: keras.Model) -> list[tuple[np.ndarray, tuple[int, ...]]]:
    return [(weight, tuple(other.shape)) for weight, other in zip(weights, network.weights, strict=True)]


def test_convolutions_with_a_group_a_channel_become_depthwise_ones_that_compute_the_same() -> None:
    """On a narrow ConvNeXt, whose features at strides 4 to 32 are those that go into the next stage."""
    arguments = {"include_preprocessing": False, "include_top": False, "input_shape": (SIDE, SIDE, 3)}
    theirs = ConvNeXt([1, 1, 1, 1], [8, 12, 16, 24], model_name="convnext_tiny", **arguments)
    copy = with_depthwise(theirs)
    image_BHWC = np.random.default_rng(1).normal(size=[1, SIDE, SIDE, 3]).astype(np.float32)
    names = ENCODERS["convnext_tiny"].skip_layers[1:]
    *skips, last = keras.Model(copy.input, [features_at(copy, name) for name in names])(image_BHWC)
    np.testing.assert_allclose(last, theirs(image_BHWC), atol=1e-4)
    assert [skip.shape[1:] for skip in skips] == [(16, 16, 8), (8, 8, 12), (4, 4, 16)]
    assert copy.count_params() == theirs.count_params()
    assert not [layer for layer in copy.layers if getattr(layer, "groups", 1) > 1]


@pytest.mark.filterwarnings("error:This model usually expects 1 or 3 input channels")
@pytest.mark.parametrize("name", marked(NAMES))
def test_bands_that_repeat_the_colours_give_the_features_of_the_colours(name: EncoderName) -> None:
    image_BHWC = np.random.default_rng(1).integers(0, 256, [1, SIDE, SIDE, 3]).astype(np.float32)
    encoder = Encoder(name=name, weights="none")
    features = []
    for repeats in (1, 2):
        keras.utils.set_random_seed(3)  # The same weights for the colours.
        image = keras.Input([SIDE, SIDE, 3 * repeats])
        model = keras.Model(image, encode(image, encoder, [skip_layers(encoder)[32]]))
        features.append(model(np.tile(image_BHWC, repeats), training=False))
    np.testing.assert_allclose(*features, rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_stochastic_depth_follows_the_seed_and_is_off_in_inference() -> None:
    image_BHWC = np.random.default_rng(1).integers(0, 256, [2, SIDE, SIDE, 3]).astype(np.float32)
    model, encoder = networks("efficientnet_v2_s")
    trained = []
    for seed in (4, 4, 5):
        keras.utils.set_random_seed(seed)
        encoder.trainable = False  # Batch normalisation is as in inference then: only dropped blocks differ.
        trained.append(tf.function(lambda: model(image_BHWC, training=True)[-1])())
    np.testing.assert_array_equal(trained[0], trained[1])
    assert not np.allclose(trained[0], trained[2])
    served = [model(image_BHWC, training=False)[-1] for _ in range(2)]
    np.testing.assert_array_equal(*served)


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
