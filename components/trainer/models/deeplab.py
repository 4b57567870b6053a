"""DeepLabV3+ of Chen et al., "Encoder-Decoder with Atrous Separable Convolution for Semantic Segmentation" (2018)."""

from __future__ import annotations

import tensorflow as tf
import tf_keras as keras

from components.trainer.architectures import DeepLabV3Plus
from components.trainer.models.blocks import Repeated, convolution, enlarged, separable_convolution
from components.trainer.models.encoders import encode, skip_layers

layers = keras.layers
_FINE_STRIDE = 4
_FINE_CHANNELS = 48


def deeplabv3plus(image_BHWC: tf.Tensor, config: DeepLabV3Plus, num_outputs: int) -> tf.Tensor:
    """Logits [B, H, W, num_outputs] from images in 0…255; height and width must be divisible by 32."""
    layer_at = skip_layers(config.encoder)
    fine, coarse = encode(image_BHWC, config.encoder, [layer_at[_FINE_STRIDE], layer_at[config.output_stride]])
    features = enlarged(_pyramid(coarse, config), config.output_stride // _FINE_STRIDE, "pyramid_grow")
    fine = convolution(fine, _FINE_CHANNELS, 1, "fine", config.normalise)
    features = layers.Concatenate(name="decoder_skip")([features, fine])
    for i in (1, 2):
        features = separable_convolution(features, config.width, 1, f"decoder{i}", config.normalise)
    return enlarged(layers.Conv2D(num_outputs, 1, name="head")(features), _FINE_STRIDE, "head_grow")


def _pyramid(features: tf.Tensor, config: DeepLabV3Plus) -> tf.Tensor:
    """Atrous spatial pyramid pooling: context at several scales, and that of the whole image."""
    _, height, width, _ = features.shape
    branches = [convolution(features, config.width, 1, "pyramid_point", config.normalise)]
    for i, rate in enumerate(config.rates):
        branches.append(separable_convolution(features, config.width, rate, f"pyramid_atrous{i}", config.normalise))
    whole = layers.GlobalAveragePooling2D(keepdims=True, name="pyramid_mean")(features)
    whole = convolution(whole, config.width, 1, "pyramid_whole", config.normalise)
    branches.append(Repeated((height, width), name="pyramid_spread")(whole))
    together = layers.Concatenate(name="pyramid")(branches)
    return layers.Dropout(config.dropout, name="pyramid_dropout")(
        convolution(together, config.width, 1, "pyramid_mix", config.normalise)
    )
