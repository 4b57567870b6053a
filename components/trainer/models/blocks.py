"""What several architectures are made of."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tf_keras as keras

from components.trainer.architectures import Normalise

layers = keras.layers
MOMENTUM = 0.9
"""Of the moving statistics of normalisation: they follow within tens of steps, and a small data set has few."""


_EPSILON = 1e-3
"""Of batch normalisation: Keras' default."""
_GROUPS = 32
_LEAST_CHANNELS = 4
_GROUP_EPSILON = 1e-5


def normalised(features: tf.Tensor, normalise: Normalise, name: str, epsilon: float = _EPSILON) -> tf.Tensor:
    """Normalisation and ReLU: what follows a convolution, which has a bias only without normalisation."""
    return layers.ReLU(name=f"{name}_relu")(normalisation(features, normalise, f"{name}_norm", epsilon))


def normalisation(features: tf.Tensor, normalise: Normalise, name: str, epsilon: float = _EPSILON) -> tf.Tensor:
    """Batch or group normalisation, or the features as they are.

    Group normalisation is that of Wu and He, "Group Normalization" (2018); it computes in float32, because its sums
    over a whole image do not fit into 16 bits.
    """
    if normalise == "batch":
        return layers.BatchNormalization(momentum=MOMENTUM, epsilon=epsilon, name=name)(features)
    if normalise == "group":
        groups = num_groups(features.shape[-1])
        return layers.GroupNormalization(groups, epsilon=_GROUP_EPSILON, dtype="float32", name=name)(features)
    return features


def num_groups(channels: int) -> int:
    """Returns the number of groups of channels: 32 as in the paper, or fewer, with at least 4 channels in each."""
    most = min(_GROUPS, max(1, channels // _LEAST_CHANNELS))
    return next(groups for groups in range(most, 0, -1) if channels % groups == 0)


def convolution(features: tf.Tensor, channels: int, size: int, name: str, normalise: Normalise = "batch") -> tf.Tensor:
    """A padded convolution, normalised, and ReLU."""
    features = layers.Conv2D(
        channels,
        size,
        padding="same",
        use_bias=normalise == "none",
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(features)
    return normalised(features, normalise, name)


def double_convolution(features: tf.Tensor, channels: int, name: str, normalise: Normalise = "batch") -> tf.Tensor:
    """Two of size 3, as in each level of a U-Net."""
    features = convolution(features, channels, 3, f"{name}_1", normalise)
    return convolution(features, channels, 3, f"{name}_2", normalise)


def separable_convolution(
    features: tf.Tensor, channels: int, rate: int, name: str, normalise: Normalise = "batch"
) -> tf.Tensor:
    """A depthwise convolution of size 3, dilated by `rate`, and a pointwise one; each normalised."""
    features = layers.DepthwiseConv2D(
        3,
        padding="same",
        dilation_rate=rate,
        use_bias=normalise == "none",
        depthwise_initializer="he_normal",
        name=f"{name}_depth",
    )(features)
    return convolution(normalised(features, normalise, f"{name}_depth"), channels, 1, name, normalise)


def enlarged(features: tf.Tensor, factor: int, name: str) -> tf.Tensor:
    """Resized bilinearly."""
    return layers.UpSampling2D(factor, interpolation="bilinear", name=name)(features)


class Repeated(keras.layers.Layer):
    """Each pixel repeated, as `UpSampling2D` does by default; that layer's gradient cannot be compiled by XLA."""

    def __init__(self, factors: tuple[int, int], **arguments: Any) -> None:
        """Takes how often a pixel is repeated along height and width."""
        super().__init__(**arguments)
        self._factors = factors

    def call(self, features_BHWC: tf.Tensor) -> tf.Tensor:
        """Returns the enlarged features."""
        return tf.repeat(tf.repeat(features_BHWC, self._factors[0], axis=1), self._factors[1], axis=2)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of a copy."""
        return super().get_config() | {"factors": self._factors}
