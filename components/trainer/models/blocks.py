"""What several architectures are made of."""

from __future__ import annotations

import tensorflow as tf
import tf_keras as keras

layers = keras.layers
MOMENTUM = 0.9
"""Of the moving statistics of normalisation: they follow within tens of steps, and a small data set has few."""


def normalised(features: tf.Tensor, name: str) -> tf.Tensor:
    """Batch normalisation and ReLU: what follows a convolution without bias."""
    features = layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_norm")(features)
    return layers.ReLU(name=f"{name}_relu")(features)


def normalised_convolution(features: tf.Tensor, channels: int, size: int, name: str) -> tf.Tensor:
    """A padded convolution, normalised."""
    features = layers.Conv2D(
        channels, size, padding="same", use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv"
    )(features)
    return normalised(features, name)


def plain_convolution(features: tf.Tensor, channels: int, size: int, name: str) -> tf.Tensor:
    """A padded convolution with bias, and ReLU."""
    return layers.Conv2D(
        channels, size, padding="same", activation="relu", kernel_initializer="he_normal", name=f"{name}_conv"
    )(features)


def double_convolution(features: tf.Tensor, channels: int, name: str, normalise: bool = True) -> tf.Tensor:
    """Two of size 3, as in each level of a U-Net."""
    convolution = normalised_convolution if normalise else plain_convolution
    return convolution(convolution(features, channels, 3, f"{name}_1"), channels, 3, f"{name}_2")


def separable_convolution(features: tf.Tensor, channels: int, rate: int, name: str) -> tf.Tensor:
    """A depthwise convolution of size 3, dilated by `rate`, and a pointwise one; each normalised."""
    features = layers.DepthwiseConv2D(
        3, padding="same", dilation_rate=rate, use_bias=False, depthwise_initializer="he_normal", name=f"{name}_depth"
    )(features)
    return normalised_convolution(normalised(features, f"{name}_depth"), channels, 1, name)


def enlarged(features: tf.Tensor, factor: int, name: str) -> tf.Tensor:
    """Resized bilinearly."""
    return layers.UpSampling2D(factor, interpolation="bilinear", name=name)(features)
