"""SegFormer: the decoder of dense layers of Xie et al. (2021) on a Mix Transformer."""

from __future__ import annotations

import tensorflow as tf
import tf_keras as keras

from components.trainer.architectures import SegFormer
from components.trainer.models.blocks import normalised
from components.trainer.models.encoders import encode, skip_layers

layers = keras.layers
_EPSILON = 1e-5
"""Of batch normalisation, as in the paper's code; Keras' default is 1e-3."""


def segformer(image_BHWC: tf.Tensor, config: SegFormer, num_outputs: int) -> tf.Tensor:
    """Logits [B, H, W, num_outputs] from images in 0…255 of any size from 32 pixels on."""
    _, height, width, _ = image_BHWC.shape
    features = encode(image_BHWC, config.encoder, list(skip_layers(config.encoder).values()))
    size = features[0].shape[1:3]
    levels = []
    for stage, level in enumerate(features):
        level = layers.Dense(config.decoder_width, name=f"linear_c.{stage}")(level)
        levels.append(_resized(level, size, f"linear_c.{stage}.grow") if stage else level)
    together = layers.Concatenate(name="levels")(levels[::-1])
    together = layers.Conv2D(
        config.decoder_width, 1, use_bias=config.normalise == "none", kernel_initializer="he_normal", name="linear_fuse"
    )(together)
    together = normalised(together, config.normalise, "fuse", _EPSILON)
    together = layers.Dropout(config.dropout, name="fuse_dropout")(together)
    return _resized(layers.Conv2D(num_outputs, 1, name="head")(together), (height, width), "head_grow")


def _resized(features: tf.Tensor, size: tuple[int, int], name: str) -> tf.Tensor:
    return layers.Resizing(*size, interpolation="bilinear", name=name)(features)
