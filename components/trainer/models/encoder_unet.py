"""A U-Net on a classification network.

The decoder `pix2pix` is that of TensorFlow's tutorial on segmentation: the way up of the generator in Isola et al.,
"Image-to-Image Translation with Conditional Adversarial Networks" (2017), one transposed convolution a level.  The
others enlarge bilinearly and convolve.
"""

from __future__ import annotations

import tensorflow as tf
import tf_keras as keras

from components.trainer.architectures import EncoderUNet, Normalise
from components.trainer.encoder_specs import STRIDES
from components.trainer.models.attention_gate import attention_gate
from components.trainer.models.blocks import double_convolution, enlarged, normalisation
from components.trainer.models.encoders import encode, skip_layers
from components.trainer.models.unet_plus_plus import nested_decoder

layers = keras.layers
_LEVELS_WITH_DROPOUT = 2


def encoder_unet(image_BHWC: tf.Tensor, config: EncoderUNet, num_outputs: int) -> tf.Tensor:
    """Logits [B, H, W, num_outputs] from images in 0…255; height and width must be divisible by 32."""
    layer_at = skip_layers(config.encoder)
    feature_at = dict(zip(layer_at, encode(image_BHWC, config.encoder, list(layer_at.values())), strict=True))
    features = (_nested if config.decoder == "unet++" else _stepwise)(feature_at, config)
    if config.decoder == "pix2pix":
        return layers.Conv2DTranspose(num_outputs, 3, strides=2, padding="same", name="head")(features)
    features = enlarged(features, 2, "up4_grow")
    features = double_convolution(features, max(1, config.widths[-1] // 2), "up4", config.normalise)
    return layers.Conv2D(num_outputs, 1, name="head")(features)


def _stepwise(feature_at: dict[int, tf.Tensor], config: EncoderUNet) -> tf.Tensor:
    """Returns the features at stride 2, with one skip connection a level; an encoder may have none there."""
    up = _transposed_level if config.decoder == "pix2pix" else _convolutional_level
    features = feature_at[STRIDES[-1]]
    for level, channels in enumerate(config.widths):
        skip = feature_at.get(STRIDES[-2 - level])
        if skip is not None and config.attention:
            skip = attention_gate(skip, features, f"gate{level}")
        features = up(features, skip, channels, _dropout(level, config), f"up{level}", config.normalise)
    return features


def _nested(feature_at: dict[int, tf.Tensor], config: EncoderUNet) -> tf.Tensor:
    """Returns the features at stride 2, with the nested skip connections of U-Net++."""

    def node(features: tf.Tensor, level: int, name: str) -> tf.Tensor:
        down = len(config.widths) - 1 - level  # Configured from coarse to fine.
        features = double_convolution(features, config.widths[down], name, config.normalise)
        return _dropped(features, _dropout(down, config), name)

    return nested_decoder([feature_at.get(stride) for stride in STRIDES], node)


def _dropout(level: int, config: EncoderUNet) -> float:
    return config.dropout if level < _LEVELS_WITH_DROPOUT else 0.0


def _transposed_level(
    features: tf.Tensor, skip: tf.Tensor | None, channels: int, dropout: float, name: str, normalise: Normalise
) -> tf.Tensor:
    features = layers.Conv2DTranspose(
        channels,
        3,
        strides=2,
        padding="same",
        use_bias=normalise == "none",
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.02),
        name=f"{name}_grow",
    )(features)
    features = normalisation(features, normalise, f"{name}_norm")
    if dropout:
        features = layers.Dropout(dropout, name=f"{name}_dropout")(features)
    features = layers.ReLU(name=f"{name}_relu")(features)
    return _joined(features, skip, name)


def _convolutional_level(
    features: tf.Tensor, skip: tf.Tensor | None, channels: int, dropout: float, name: str, normalise: Normalise
) -> tf.Tensor:
    features = _joined(enlarged(features, 2, f"{name}_grow"), skip, name)
    return _dropped(double_convolution(features, channels, name, normalise), dropout, name)


def _dropped(features: tf.Tensor, dropout: float, name: str) -> tf.Tensor:
    return layers.SpatialDropout2D(dropout, name=f"{name}_dropout")(features) if dropout else features


def _joined(features: tf.Tensor, skip: tf.Tensor | None, name: str) -> tf.Tensor:
    return features if skip is None else layers.Concatenate(name=f"{name}_skip")([features, skip])
