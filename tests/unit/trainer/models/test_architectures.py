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
from components.trainer.architectures import (
    FCN8,
    FPN,
    Architecture,
    DeepLabV3Plus,
    Encoder,
    EncoderName,
    EncoderUNet,
    SegFormer,
    UNet,
)
from components.trainer.export import export
from components.trainer.inference.model import ServedModel
from components.trainer.models import build_model, encoder_of
from components.trainer.models.attention_gate import attention_gate
from components.trainer.models.encoders import features_at, network_with_weights, skip_layers
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
    "unet++-mobilenet_v3_small": EncoderUNet(
        encoder=on("mobilenet_v3_small"), decoder="unet++", widths=(16, 8, 8, 8), dropout=0.2
    ),
    "unet++-convnext_tiny": EncoderUNet(encoder=on("convnext_tiny"), decoder="unet++", widths=(16, 8, 8, 8)),
    "attention-mobilenet_v3_small": EncoderUNet(encoder=on("mobilenet_v3_small"), widths=(16, 8, 8, 8), attention=True),
    "attention-convnext_tiny": EncoderUNet(
        encoder=on("convnext_tiny"), decoder="convolution", widths=(16, 8, 8, 8), attention=True
    ),
    "attention-unet": UNet(width=4, depth=2, attention=True),
    "fpn-mobilenet_v3_small": FPN(encoder=on("mobilenet_v3_small"), pyramid_width=16, width=8),
    "fpn-convnext_tiny": FPN(encoder=on("convnext_tiny"), pyramid_width=16, width=8),
    "fpn-batch": FPN(encoder=on("mobilenet"), pyramid_width=16, width=8, normalise="batch"),
    "segformer": SegFormer(encoder=on("mit_b0"), decoder_width=16),
    "convolution-group": EncoderUNet(
        encoder=on("mobilenet"), decoder="convolution", widths=(16, 8, 8, 8), normalise="group"
    ),
    "pix2pix-none": EncoderUNet(encoder=on("mobilenet"), widths=(16, 8, 8, 8), normalise="none"),
    "deeplab-group": DeepLabV3Plus(encoder=on("mobilenet"), width=16, rates=(1, 2), normalise="group"),
    "deeplab-at-32": DeepLabV3Plus(encoder=on("mobilenet_v2"), width=16, rates=(1,), output_stride=32),
}

EXPORTED = (
    "pix2pix-mobilenet",
    "pix2pix-mobilenet_v2",
    "pix2pix-efficientnet_v2_b0",
    "pix2pix-resnet50",
    "pix2pix-vgg16",
    "convolution-densenet121",
    "deeplab-mobilenet",
    "fcn8",
)
"""Networks that `test_zoo` does not export."""

FAST = (
    "pix2pix-mobilenet_v2",
    "pix2pix-mobilenet_v3_small",
    "pix2pix-vgg16",
    "convolution-mobilenet",
    "fcn8",
    "deeplab-mobilenet",
    "deeplab-at-32",
    "pix2pix-none",
    "unet++-mobilenet_v3_small",
    "attention-unet",
    "fpn-mobilenet_v3_small",
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
    _keep_every_block(model)
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


def _keep_every_block(model: keras.Model) -> None:
    """Stochastic depth leaves blocks out, whose weights have no gradient then."""
    for layer in encoder_of(model).layers if encoder_of(model) else []:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0


def test_a_network_learns_a_batch() -> None:
    """Of two images whose left half is another class than the right; `test_zoo` has the larger networks."""
    keras.utils.set_random_seed(1)
    model = model_of(SMALL["attention-unet"], 2)
    image_BHWC = tf.random.stateless_uniform([2, SIDE, SIDE, 3], [1, 2], 0, 100)
    mask_BHW1 = tf.broadcast_to(
        tf.cast(tf.range(SIDE) < SIDE // 2, tf.float32)[None, None, :, None], [2, SIDE, SIDE, 1]
    )
    model.compile(keras.optimizers.Adam(0.01), keras.losses.BinaryCrossentropy(from_logits=True))
    image_BHWC += 100 * mask_BHW1
    losses = model.fit(image_BHWC, mask_BHW1, batch_size=2, epochs=25, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("name", ["pix2pix-mobilenet", "convolution-mobilenet", "fcn8", "deeplab-mobilenet"])
def test_pictures_need_not_be_square_and_two_classes_share_a_logit(name: str) -> None:
    assert model_of(SMALL[name], 2, 32, 96)(tf.zeros([1, 32, 96, 3])).shape == (1, 32, 96, 1)


def test_a_unet_without_normalisation_has_biases_instead() -> None:
    """64…1024 with a sigmoid, as in notebooks on aerial pictures: 31,031,745 weights, all of them trained."""
    with tf.Graph().as_default():
        model = model_of(UNet(width=64, normalise="none"), 2, 32, 32)
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


def channels_of(encoder: Encoder) -> dict[int, int]:
    """Channels of the encoder's features by stride."""
    network = network_with_weights(encoder, SIDE, SIDE)
    return {stride: features_at(network, name).shape[-1] for stride, name in skip_layers(encoder).items()}


def decoder_weights(config: Architecture, num_classes: int) -> int:
    """Number of weights, moving statistics among them, without the encoder's."""
    with tf.Graph().as_default():
        model = model_of(config, num_classes)
        return model.count_params() - (encoder_of(model).count_params() if encoder_of(model) else 0)


def double(inputs: int, channels: int) -> int:
    """Weights of two convolutions of size 3 with batch normalisation."""
    return 9 * channels * (inputs + channels) + 2 * 4 * channels


def test_a_nested_decoder_has_the_weights_that_its_paper_implies() -> None:
    """Each node X(i, j): j nodes before it at its level, the one below enlarged, and two convolutions."""
    config = EncoderUNet(encoder=on("mobilenet_v3_small"), decoder="unet++", widths=(32, 16, 12, 8))
    with tf.Graph().as_default():
        first = list(channels_of(config.encoder).values())
    expected = double(8, 4) + 4 * 3 + 3  # At full size, and the head.
    widths = config.widths[::-1]
    for column in range(1, 5):
        for level in range(5 - column):
            below = first[level + 1] if column == 1 else widths[level + 1]
            inputs = first[level] + (column - 1) * widths[level] + below
            expected += double(inputs, widths[level])
    assert decoder_weights(config, 3) == expected


@pytest.mark.parametrize("name", ["mobilenet_v3_small", pytest.param("convnext_tiny", marks=pytest.mark.slow)])
def test_the_last_node_sees_all_nodes_of_its_level_and_the_one_below(name: EncoderName) -> None:
    with tf.Graph().as_default():
        model = model_of(EncoderUNet(encoder=on(name), decoder="unet++", widths=(16, 8, 8, 8)))
    joined = model.get_layer("x0_4_join").input
    assert len(joined) == (4 if name == "convnext_tiny" else 5)  # ConvNeXt has no features at stride 2.
    assert {feature.shape[1] for feature in joined} == {SIDE // 2}


def test_a_pyramid_has_the_weights_of_its_paper() -> None:
    """256 channels in the pyramid, 128 in the branches: 1 + 1 + 2 + 3 convolutions with group normalisation.

    It is the number that segmentation_models.pytorch 0.4.0 has for these features (`FPNDecoder`), and the head.
    """
    encoder = on("resnet50")
    with tf.Graph().as_default():
        channels = channels_of(encoder)
    assert [channels[stride] for stride in (4, 8, 16, 32)] == [256, 512, 1024, 2048]
    laterals = sum((channels[stride] + 1) * 256 for stride in (4, 8, 16, 32))
    branches = 4 * 9 * 256 * 128 + 3 * 9 * 128 * 128 + 7 * 2 * 128
    assert decoder_weights(FPN(encoder=encoder), 3) == laterals + branches + 128 * 3 + 3


def test_gates_have_the_weights_of_their_paper() -> None:
    """Theta of size 2 without bias, phi and psi of size 1; half of the skip connection's channels between them."""
    gates = sum(
        4 * skip * (skip // 2) + 2 * skip * (skip // 2) + skip // 2 + skip // 2 + 1
        for skip in (4 * 2**i for i in (0, 1))
    )
    with_gates = decoder_weights(UNet(width=4, depth=2, attention=True), 3)
    assert with_gates - decoder_weights(UNet(width=4, depth=2), 3) == gates


def test_a_gate_is_the_formula_of_its_paper() -> None:
    """Equations 1 to 3 of Oktay et al. (2018), in NumPy."""
    rng = np.random.default_rng(3)
    skip, gate = rng.normal(size=(1, 4, 6, 4)).astype("f4"), rng.normal(size=(1, 2, 3, 8)).astype("f4")
    inputs = keras.Input([4, 6, 4]), keras.Input([2, 3, 8])
    model = keras.Model(inputs, attention_gate(*inputs, "gate"))
    model.set_weights([rng.normal(size=weight.shape) for weight in model.weights])
    theta = model.get_layer("gate_theta").kernel.numpy()
    (phi, phi_bias), (psi, psi_bias) = (model.get_layer(f"gate_{name}").get_weights() for name in ("phi", "psi"))
    blocks = skip.reshape(1, 2, 2, 3, 2, 4).transpose(0, 1, 3, 2, 4, 5)
    seen = np.einsum("bijhwc,hwcd->bijd", blocks, theta) + np.einsum("bijc,cd->bijd", gate, phi[0, 0]) + phi_bias
    weight = 1 / (1 + np.exp(-(np.maximum(seen, 0) @ psi[0, 0] + psi_bias)))
    expected = skip * tf.image.resize(weight, [4, 6]).numpy()
    np.testing.assert_allclose(model([skip, gate]), expected, rtol=1e-4, atol=1e-5)


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
@pytest.mark.parametrize("name", EXPORTED)
def test_the_exported_model_gives_the_trained_ones_probabilities(
    name: str, transformed: Transformed, tmp_path: Path
) -> None:
    transform = transformed.config
    model = model_of(SMALL[name], NUM_CLASSES, transform.height, transform.width)
    layer = tft.TFTransformOutput(str(transformed.graph)).transform_features_layer()
    export(ServedModel([model], layer, transform, CLASS_NAMES, 100_000), str(tmp_path / "export"))
    encoded = tf.constant([make_pair(i)[records.IMAGE_ENCODED] for i in range(2)])
    loaded = tf.saved_model.load(str(tmp_path / "export"))
    served = loaded.signatures["probabilities"](image=encoded)["probabilities"]
    raw = layer({records.IMAGE_ENCODED: encoded})[features.IMAGE]
    seen = images_from_bytes(raw, transform.height, transform.width)
    expected = probabilities_BHWC(model(tf.cast(seen, tf.float32), training=False))
    np.testing.assert_allclose(served, expected, atol=1e-5)
