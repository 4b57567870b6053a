"""Architectures on encoders: shapes, published sizes, gradients and the way through the exported model."""

from __future__ import annotations

import math
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tf_keras as keras

from common import records
from components.trainer.architectures import FCN8, Architecture, DeepLabV3Plus, Encoder, EncoderName, EncoderUNet, UNet
from components.trainer.export import export
from components.trainer.inference.model import ServedModel
from components.trainer.models import build_model, encoder_of
from components.trainer.models.fcn8 import Bilinear
from components.trainer.predictions import probabilities_BHWC
from components.transform import features
from components.transform.config import TransformConfig
from components.transform.image_ops import images_from_bytes
from tests.support.transformed import CLASS_NAMES, NUM_CLASSES, Transformed, make_pair

SIDE = 64


def on(name: EncoderName) -> Encoder:
    return Encoder(name=name, weights="none")


SMALL: dict[str, Architecture] = {
    **{f"pix2pix-{name}": EncoderUNet(encoder=on(name), widths=(16, 8, 8, 8)) for name in get_args(EncoderName)},
    "convolution-densenet121": EncoderUNet(
        encoder=on("densenet121"), decoder="convolution", widths=(16, 8, 8, 8), dropout=0.2
    ),
    "convolution-mobilenet": EncoderUNet(encoder=on("mobilenet"), decoder="convolution", widths=(16, 8, 8, 8)),
    "fcn8": FCN8(encoder=on("vgg16"), head_width=16),
    **{f"deeplab-{name}": DeepLabV3Plus(encoder=on(name), width=16, rates=(1, 2)) for name in get_args(EncoderName)},
    "convolution-group": EncoderUNet(
        encoder=on("mobilenet"), decoder="convolution", widths=(16, 8, 8, 8), normalise="group"
    ),
    "pix2pix-none": EncoderUNet(encoder=on("mobilenet"), widths=(16, 8, 8, 8), normalise="none"),
    "deeplab-group": DeepLabV3Plus(encoder=on("mobilenet"), width=16, rates=(1, 2), normalise="group"),
    "deeplab-at-32": DeepLabV3Plus(encoder=on("mobilenet_v2"), width=16, rates=(1,), output_stride=32),
}

FAST = (
    "pix2pix-mobilenet_v2",
    "pix2pix-mobilenet_v3_small",
    "pix2pix-vgg16",
    "convolution-mobilenet",
    "fcn8",
    "deeplab-mobilenet",
    "deeplab-at-32",
    "pix2pix-none",
)


def model_of(config: Architecture, num_classes: int = 3, height: int = SIDE, width: int = SIDE) -> keras.Model:
    transform = TransformConfig(height=height, width=width, normalize="none")
    return build_model(config, transform, num_classes, np.ones(3), np.ones(3))


@pytest.mark.parametrize(
    "name", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in SMALL]
)
def test_logits_are_as_large_as_the_picture_and_gradients_reach_every_weight(name: str) -> None:
    keras.utils.set_random_seed(1)
    model = model_of(SMALL[name], 5)
    _leave_the_published_start(model)
    image_BHWC = tf.random.stateless_uniform([2, SIDE, SIDE, 3], [1, 2], 0, 255)
    with tf.GradientTape() as tape:
        logits = model(image_BHWC, training=True)
        loss = tf.reduce_mean(tf.nn.log_softmax(logits)[..., 0])
    assert logits.shape == (2, SIDE, SIDE, 5)
    assert logits.dtype == tf.float32
    gradients = tape.gradient(loss, model.trainable_weights)
    for gradient, weight in zip(gradients, model.trainable_weights, strict=True):
        assert gradient is not None, weight.name
        assert float(tf.reduce_sum(tf.abs(gradient))) > 0, weight.name


def _leave_the_published_start(model: keras.Model) -> None:
    """FCN-8 starts with scores of zero, through which nothing flows back to the pools."""
    for layer in model.layers:
        if layer.name in ("score_pool3", "score_pool4"):
            layer.kernel.assign(tf.random.stateless_normal(layer.kernel.shape, [3, 4]))


@pytest.mark.parametrize("name", ["pix2pix-mobilenet", "convolution-mobilenet", "fcn8", "deeplab-mobilenet"])
def test_pictures_need_not_be_square_and_two_classes_share_a_logit(name: str) -> None:
    assert model_of(SMALL[name], 2, 32, 96)(tf.zeros([1, 32, 96, 3])).shape == (1, 32, 96, 1)


def test_a_unet_without_normalisation_has_biases_instead() -> None:
    """64…1024 with a sigmoid, as in notebooks on aerial pictures: 31,031,745 weights, all of them trained."""
    with tf.Graph().as_default():
        model = model_of(UNet(normalise="none"), 2, 32, 32)
    assert model.count_params() == 31_031_745
    assert not model.non_trainable_weights
    assert not [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]


def test_a_unet_on_mobilenet_v2_has_the_size_of_tensorflows_tutorial() -> None:
    """Its summary says 6,504,227 weights for three classes, 4,660,323 of them trained with the encoder frozen."""
    model = model_of(EncoderUNet(encoder=on("mobilenet_v2")), 3, 128, 128)
    assert model.count_params() == 6_504_227
    encoder_of(model).trainable = False
    assert sum(math.prod(weight.shape) for weight in model.trainable_weights) == 4_660_323


def test_an_fcn8_has_the_134_million_weights_of_its_paper() -> None:
    """Table 1 of Long et al. (2015), for 21 classes."""
    with tf.Graph().as_default():  # Counted without half a gigabyte of random numbers.
        weights = model_of(FCN8(encoder=on("vgg16")), 21).weights
        assert sum(math.prod(weight.shape) for weight in weights) == pytest.approx(134e6, rel=0.005)


def test_an_fcn8_starts_with_its_coarse_scores_enlarged_bilinearly() -> None:
    keras.utils.set_random_seed(1)
    model = model_of(FCN8(encoder=on("vgg16"), head_width=8), 3, 224, 224)
    parts = keras.Model(model.input, [model.get_layer("score_fc7").output, model.output])
    coarse, logits = parts(tf.random.stateless_uniform([1, 224, 224, 3], [1, 2], 0, 255))
    expected = tf.image.resize(tf.image.resize(tf.image.resize(coarse, [14, 14]), [28, 28]), [224, 224])
    inner = slice(48, -48)  # A transposed convolution sees zeros beyond the edge, resizing sees the edge.
    np.testing.assert_allclose(logits[:, inner, inner], expected[:, inner, inner], rtol=1e-3, atol=1e-3)


def test_a_bilinear_kernel_of_stride_2_is_the_one_of_the_books() -> None:
    tent = np.array([0.25, 0.75, 0.75, 0.25])
    kernel = Bilinear()((4, 4, 2, 2)).numpy()
    np.testing.assert_allclose(kernel[..., 0, 0], np.outer(tent, tent))
    np.testing.assert_allclose(kernel[..., 0, 1], 0)


def test_a_pyramid_has_a_branch_for_each_rate() -> None:
    model = model_of(DeepLabV3Plus(encoder=on("mobilenet"), rates=(1, 2, 3), width=8))
    depthwise = [layer for layer in model.layers if layer.name.startswith("pyramid_atrous")]
    rates = [layer.dilation_rate for layer in depthwise if isinstance(layer, keras.layers.DepthwiseConv2D)]
    assert rates == [(1, 1), (2, 2), (3, 3)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        *(name for name in SMALL if name.startswith("pix2pix-")),
        *("convolution-densenet121", "fcn8", "deeplab-mobilenet"),
    ],
)
def test_the_exported_model_gives_the_trained_ones_probabilities(
    name: str, transformed: Transformed, tmp_path: Path
) -> None:
    transform = transformed.config
    model = model_of(SMALL[name], NUM_CLASSES, transform.height, transform.width)
    layer = tft.TFTransformOutput(str(transformed.graph)).transform_features_layer()
    export(ServedModel(model, layer, transform, CLASS_NAMES, 100_000), str(tmp_path / "export"))
    encoded = tf.constant([make_pair(i)[records.IMAGE_ENCODED] for i in range(2)])
    loaded = tf.saved_model.load(str(tmp_path / "export"))
    served = loaded.signatures["probabilities"](image=encoded)["probabilities"]
    raw = layer({records.IMAGE_ENCODED: encoded})[features.IMAGE]
    seen = images_from_bytes(raw, transform.height, transform.width)
    expected = probabilities_BHWC(model(tf.cast(seen, tf.float32), training=False))
    np.testing.assert_allclose(served, expected, atol=1e-5)
