"""Classification networks of keras.applications as encoders, each behind the input scaling that it was trained with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import tensorflow as tf
import tf_keras as keras

from components.trainer.architectures import PUBLISHED_ALPHAS, Architecture, Encoder, EncoderName
from components.trainer.models.blocks import MOMENTUM
from components.trainer.models.weights import find_weights, load_weights
from components.transform.config import TransformConfig

ENCODER = "encoder"
STRIDES = (2, 4, 8, 16, 32)
_CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)
_IMAGENET_MEAN_RGB = (0.485, 0.456, 0.406)
_IMAGENET_STD_RGB = (0.229, 0.224, 0.225)


class _Network(NamedTuple):
    """A network: its name in keras.applications, its scaling, and its last useful layers at strides 2…32."""

    application: str
    scaling: Literal["symmetric", "torch", "caffe", "own"]
    taps: tuple[str, str, str, str, str]


_NETWORKS: dict[EncoderName, _Network] = {
    "mobilenet_v2": _Network(
        "MobileNetV2",
        "symmetric",
        (
            "block_1_expand_relu",
            "block_3_expand_relu",
            "block_6_expand_relu",
            "block_13_expand_relu",
            "block_16_project",
        ),
    ),
    "densenet121": _Network("DenseNet121", "torch", ("conv1/relu", "pool2_relu", "pool3_relu", "pool4_relu", "relu")),
    # The features before each pool: they have seen more than those after the pool of the level above.
    "vgg16": _Network(
        "VGG16", "caffe", ("block2_conv2", "block3_conv3", "block4_conv3", "block5_conv3", "block5_pool")
    ),
    "mobilenet": _Network(
        "MobileNet",
        "symmetric",
        ("conv_pw_1_relu", "conv_pw_3_relu", "conv_pw_5_relu", "conv_pw_11_relu", "conv_pw_13_relu"),
    ),
    "efficientnet_v2_b0": _Network(
        "EfficientNetV2B0",
        "own",
        (
            "block1a_project_activation",
            "block2b_expand_activation",
            "block4a_expand_activation",
            "block6a_expand_activation",
            "top_activation",
        ),
    ),
    "resnet50": _Network(
        "ResNet50",
        "caffe",
        ("conv1_relu", "conv2_block3_out", "conv3_block4_out", "conv4_block6_out", "conv5_block3_out"),
    ),
}


def taps(name: EncoderName) -> dict[int, str]:
    """Stride → the layer of the network whose output has that stride."""
    return dict(zip(STRIDES, _NETWORKS[name].taps, strict=True))


def encode(image_BHWC: tf.Tensor, config: Encoder, layer_names: Sequence[str]) -> list[tf.Tensor]:
    """What the named layers make of pictures in 0…255.

    The encoder is a layer of the model in which this is called, a `keras.Model` named `encoder`, cut off after the last
    of the named layers.

    Raises:
        UserError: its weights cannot be had, or do not fit.
    """
    _, height, width, _ = image_BHWC.shape
    network = network_with_weights(config, height, width)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = MOMENTUM  # Up to 0.999 there, which fits many thousands of steps.
    outputs = [network.get_layer(name).output for name in layer_names]
    return keras.Model(network.input, outputs, name=ENCODER)(_scaled(image_BHWC, _NETWORKS[config.name].scaling))


def encoder_of(model: keras.Model) -> keras.Model | None:
    """The encoder in a model of `build_model`, for freezing and thawing; `None` where there is none."""
    return next((layer for layer in model.layers if layer.name == ENCODER), None)


def check_encoder(architecture: Architecture, transform: TransformConfig) -> None:
    """Makes sure, before anything expensive, that training can start from the weights that are asked for.

    Raises:
        UserError: they are not there and cannot be downloaded, or are those of another network.
    """
    if architecture.encoder is not None and architecture.encoder.weights != "none":
        network_with_weights(architecture.encoder, transform.height, transform.width)


def network_with_weights(config: Encoder, height: int, width: int) -> keras.Model:
    """The whole network less its classifier, on pictures of height × width, with the weights that are asked for.

    Raises:
        UserError: they cannot be had, or do not fit.
    """
    path = find_weights(config, height, width)
    alpha = {"alpha": config.alpha} if config.name in PUBLISHED_ALPHAS else {}
    application = getattr(keras.applications, _NETWORKS[config.name].application)
    network = application(include_top=False, weights=None, input_shape=(height, width, 3), **alpha)
    if path is not None:
        load_weights(network, path)
    return network


def _scaled(image_BHWC: tf.Tensor, scaling: str) -> tf.Tensor:
    """What `preprocess_input` of keras.applications does, as a layer."""
    if scaling == "symmetric":
        return keras.layers.Rescaling(1 / 127.5, -1.0, name="scaling")(image_BHWC)
    if scaling == "torch":
        scale = [1 / (255 * std) for std in _IMAGENET_STD_RGB]
        offset = [-mean / std for mean, std in zip(_IMAGENET_MEAN_RGB, _IMAGENET_STD_RGB, strict=True)]
        return keras.layers.Rescaling(scale, offset, name="scaling")(image_BHWC)
    return CaffeScaling(name="scaling")(image_BHWC) if scaling == "caffe" else image_BHWC


class CaffeScaling(keras.layers.Layer):
    """From RGB in 0…255 to BGR less ImageNet's mean, as Caffe's models want it."""

    def call(self, image_BHWC: tf.Tensor) -> tf.Tensor:
        """Pictures of the same shape."""
        return image_BHWC[..., ::-1] - tf.constant(_CAFFE_MEAN_BGR, image_BHWC.dtype)
