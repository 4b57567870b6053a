"""Classification networks as encoders, each behind the preprocessing that it was trained with."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import tensorflow as tf
import tf_keras as keras

from components.trainer.architectures import Architecture, Encoder
from components.trainer.encoder_specs import OUTPUT, STRIDES, InputOf
from components.trainer.models.blocks import MOMENTUM
from components.trainer.models.mix_transformer import SIZES, mix_transformer
from components.trainer.models.weights import find_weights, load_weights
from components.transform.config import TransformConfig
from components.transform.pixel_format import RGB

ENCODER = "encoder"
_CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)
_CAFFE_MEAN_RGB = tuple(mean / 255 for mean in reversed(_CAFFE_MEAN_BGR))
_CAFFE_STD = (1 / 255,) * 3
_IMAGENET_MEAN_RGB = (0.485, 0.456, 0.406)
_IMAGENET_STD_RGB = (0.229, 0.224, 0.225)


def skip_layers(config: Encoder) -> dict[int, str]:
    """Returns for each stride the name of the layer whose output has it; some encoders have none at stride 2."""
    names = zip(STRIDES, config.spec.skip_layers, strict=True)
    return {stride: name for stride, name in names if name is not None}


def features_at(network: keras.Model, name: str) -> tf.Tensor:
    """Returns the features that a name in `EncoderSpec.skip_layers` stands for."""
    if name == OUTPUT:
        return network.output
    layer = network.get_layer(name)
    return layer.inbound_nodes[-1].input_tensors if isinstance(name, InputOf) else layer.output


def encode(image_BHWC: tf.Tensor, config: Encoder, layer_names: Sequence[str]) -> list[tf.Tensor]:
    """Returns the features of the named layers for images in 0…255.

    The encoder is a layer of the model in which this is called, a `keras.Model` named `encoder`, cut off after the last
    of the named layers.

    Raises:
        UserError: its weights cannot be loaded, or do not fit.
    """
    _, height, width, bands = image_BHWC.shape
    network = network_with_weights(config, height, width)
    if bands != RGB.bands:
        network = for_bands(network, _built(config, height, width, bands), config.spec.preprocessing)
    if any(_is_grouped(layer) for layer in network.layers):
        network = with_depthwise(network)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = MOMENTUM  # Up to 0.999 there, which fits many thousands of steps.
    outputs = [features_at(network, name) for name in layer_names]
    return keras.Model(network.input, outputs, name=ENCODER)(_preprocessed(image_BHWC, config.spec.preprocessing))


def encoder_of(model: keras.Model) -> keras.Model | None:
    """Returns the encoder of a model from `build_model`, for freezing and unfreezing; `None` if there is none."""
    return next((layer for layer in model.layers if layer.name == ENCODER), None)


def check_encoder(architecture: Architecture, transform: TransformConfig) -> None:
    """Checks, before anything expensive, that training can start from the configured weights.

    Raises:
        UserError: the weights are missing and cannot be downloaded, or belong to another network.
    """
    if architecture.encoder is not None and architecture.encoder.weights != "none":
        network_with_weights(architecture.encoder, transform.height, transform.width)


def network_with_weights(config: Encoder, height: int, width: int) -> keras.Model:
    """Returns the network without its classifier, for images of height × width, with the configured weights.

    Raises:
        UserError: the weights cannot be loaded, or do not fit.
    """
    path = find_weights(config, height, width)
    network = _built(config, height, width, RGB.bands)
    if path is not None:
        load_weights(network, path)
    return network


def for_bands(network: keras.Model, bare: keras.Model, preprocessing: str) -> keras.Model:
    """Gives `bare`, the same network for another number of bands, the weights of `network`, which takes RGB.

    The first convolution repeats the weights of red, green and blue over the bands, times 3 / bands, so that its output
    keeps its magnitude; statistics of channels are repeated.  segmentation_models.pytorch does the same
    (`patch_first_conv`, 0.3).
    """
    bands = bare.input_shape[-1]
    # Caffe's networks take BGR, and bands come in the order of RGB.
    order = [2 - band % 3 if preprocessing == "caffe" else band % 3 for band in range(bands)]
    adapted = []
    for old, new in zip(network.get_weights(), bare.get_weights(), strict=True):
        if old.shape == new.shape:
            adapted.append(old)
        elif old.ndim == 1:
            adapted.append(old[order])
        else:
            adapted.append(old[:, :, order] * (RGB.bands / bands))
    bare.set_weights(adapted)
    return bare


def with_depthwise(network: keras.Model) -> keras.Model:
    """Returns the network with depthwise convolutions in place of convolutions with a group for each channel.

    Both compute the same.  tf_keras compiles grouped convolutions by XLA on every device (`base_conv.py`, 2.16), which
    a server without XLA cannot run.
    """
    copy = keras.models.clone_model(network, clone_function=_depthwise_copy)
    for old, new in zip(network.weights, copy.weights, strict=True):
        new.assign(tf.reshape(old, new.shape))  # [H, W, 1, C] and [H, W, C, 1] have the same order.
    return copy


def _depthwise_copy(layer: keras.layers.Layer) -> keras.layers.Layer:
    if not _is_grouped(layer):
        return layer.__class__.from_config(layer.get_config())
    assert layer.groups == layer.filters
    return keras.layers.DepthwiseConv2D(layer.kernel_size, padding=layer.padding, name=layer.name)


def _is_grouped(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, keras.layers.Conv2D) and layer.groups > 1


def _built(config: Encoder, height: int, width: int, bands: int) -> keras.Model:
    application, arguments = config.spec.application, config.spec.builder_arguments(config.alpha)
    if application in SIZES:
        return mix_transformer(application, (height, width, bands))
    build = getattr(keras.applications, application)
    with warnings.catch_warnings():
        # `for_bands` gives images of other bands weights that suit them.
        warnings.filterwarnings("ignore", "This model usually expects 1 or 3 input channels")
        return build(include_top=False, weights=None, input_shape=(height, width, bands), **arguments)


def _preprocessed(image_BHWC: tf.Tensor, mode: str) -> tf.Tensor:
    """Applies `preprocess_input` of keras.applications as a layer; bands are scaled as red, green, blue, red, ….

    The order of red and blue is the first convolution's matter if there are other than three.
    """
    bands = image_BHWC.shape[-1]
    if mode == "tf":
        return keras.layers.Rescaling(1 / 127.5, -1.0, name="scaling")(image_BHWC)
    if mode == "tf_128":
        return keras.layers.Rescaling(1 / 128, -1.0, name="scaling")(image_BHWC)
    if mode == "torch" or bands != RGB.bands:
        mean_RGB, std_RGB = (
            (_IMAGENET_MEAN_RGB, _IMAGENET_STD_RGB) if mode == "torch" else (_CAFFE_MEAN_RGB, _CAFFE_STD)
        )
        colours = [band % RGB.bands for band in range(bands)]
        scale = [1 / (255 * std_RGB[colour]) for colour in colours]
        offset = [-mean_RGB[colour] / std_RGB[colour] for colour in colours]
        return keras.layers.Rescaling(scale, offset, name="scaling")(image_BHWC)
    return CaffeScaling(name="scaling")(image_BHWC)


class CaffeScaling(keras.layers.Layer):
    """Converts RGB in 0…255 to BGR less ImageNet's mean, as Caffe's models expect."""

    def call(self, image_BHWC: tf.Tensor) -> tf.Tensor:
        """Returns images of the same shape."""
        return image_BHWC[..., ::-1] - tf.constant(_CAFFE_MEAN_BGR, image_BHWC.dtype)
