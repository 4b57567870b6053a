"""The U-Net of Ronneberger, Fischer and Brox, "Convolutional Networks for Biomedical Image Segmentation" (2015).

Two changes, as in most of its uses since: convolutions are padded, so that the mask is as large as the image, and
each is followed by batch normalisation, unless the configuration says otherwise.  Attention gates are optional.
"""

from __future__ import annotations

import tensorflow as tf
import tf_keras as keras

from components.trainer.architectures import UNet
from components.trainer.models.attention_gate import attention_gate
from components.trainer.models.blocks import double_convolution

layers = keras.layers


def unet(image_BHWC: tf.Tensor, config: UNet, num_outputs: int) -> tf.Tensor:
    """Logits [B, H, W, num_outputs]; height and width must be divisible by 2 to the power of the depth."""
    features, skips = image_BHWC, []
    for level in range(config.depth):
        features = double_convolution(features, config.width * 2**level, f"down{level}", config.normalise)
        skips.append(features)
        features = layers.MaxPooling2D(name=f"down{level}_pool")(features)
    features = double_convolution(features, config.width * 2**config.depth, "bottom", config.normalise)
    if config.dropout:
        features = layers.SpatialDropout2D(config.dropout, name="bottom_dropout")(features)
    for level in reversed(range(config.depth)):
        channels = config.width * 2**level
        skip = attention_gate(skips[level], features, f"gate{level}") if config.attention else skips[level]
        features = layers.Conv2DTranspose(channels, 2, strides=2, name=f"up{level}_grow")(features)
        features = layers.Concatenate(name=f"up{level}_skip")([skip, features])
        features = double_convolution(features, channels, f"up{level}", config.normalise)
    return layers.Conv2D(num_outputs, 1, name="head")(features)
