"""The Mix Transformer, the encoder of Xie et al., "SegFormer: Simple and Efficient Design for Semantic Segmentation
with Transformers" (2021).

Four stages at strides 4, 8, 16 and 32, each of an overlapping patch embedding and blocks of attention and Mix-FFN.
Keys and values of the attention are reduced by a convolution, and a depthwise convolution in the Mix-FFN stands for
positions, so that a network takes images of any size.  Layers have the names of the published files of Hugging Face's
`transformers` (`modeling_segformer.py`, 4.46), so that `weights_conversion` finds them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tf_keras as keras

layers = keras.layers

_HEADS = (1, 2, 5, 8)
_REDUCTIONS = (8, 4, 2, 1)
_PATCHES = ((7, 4), (3, 2), (3, 2), (3, 2))
"""Size and stride of the convolution that begins each stage."""
_EXPANSION = 4
_MOST_DROPPED = 0.1
"""Rate of stochastic depth in the last block; it rises from 0 in the first."""
_EPSILON = 1e-6
_EPSILON_AFTER_CONVOLUTION = 1e-5
_DENSE_START = keras.initializers.TruncatedNormal(stddev=0.02)


class Size(NamedTuple):
    """Channels and number of blocks of each stage."""

    channels: tuple[int, int, int, int]
    blocks: tuple[int, int, int, int]


SIZES = {
    "MixTransformerB0": Size((32, 64, 160, 256), (2, 2, 2, 2)),
    "MixTransformerB1": Size((64, 128, 320, 512), (2, 2, 2, 2)),
    "MixTransformerB2": Size((64, 128, 320, 512), (3, 4, 6, 3)),
}


def mix_transformer(application: str, input_shape: Sequence[int]) -> keras.Model:
    """Returns the network named `application`, with random weights, for images normalised as ImageNet's."""
    size = SIZES[application]
    image_BHWC = features = keras.Input(input_shape)
    dropped = iter(np.linspace(0, _MOST_DROPPED, sum(size.blocks)).tolist())
    for stage, (channels, blocks) in enumerate(zip(size.channels, size.blocks, strict=True)):
        features = _patch_embedding(features, channels, stage)
        for block in range(blocks):
            features = _block(features, stage, next(dropped), f"block.{stage}.{block}")
        features = layers.LayerNormalization(epsilon=_EPSILON, name=f"layer_norm.{stage}")(features)
    return keras.Model(image_BHWC, features, name=application)


def _patch_embedding(features: tf.Tensor, channels: int, stage: int) -> tf.Tensor:
    """A strided convolution over patches that overlap, padded alike on all sides, and layer normalisation."""
    size, stride = _PATCHES[stage]
    name = f"patch_embeddings.{stage}"
    features = layers.ZeroPadding2D(size // 2, name=f"{name}.pad")(features)
    features = layers.Conv2D(
        channels,
        size,
        strides=stride,
        kernel_initializer=_convolution_start(size * size * channels),
        name=f"{name}.proj",
    )(features)
    return layers.LayerNormalization(epsilon=_EPSILON_AFTER_CONVOLUTION, name=f"{name}.layer_norm")(features)


def _block(features: tf.Tensor, stage: int, dropped: float, name: str) -> tf.Tensor:
    for index, part in enumerate((_attention, _mix_ffn), start=1):
        change = layers.LayerNormalization(epsilon=_EPSILON, name=f"{name}.layer_norm_{index}")(features)
        change = part(change, stage, name)
        if dropped:
            change = layers.Dropout(dropped, noise_shape=(None, 1, 1, 1), name=f"{name}.drop_path_{index}")(change)
        features = layers.Add(name=f"{name}.add_{index}")([features, change])
    return features


def _attention(features: tf.Tensor, stage: int, name: str) -> tf.Tensor:
    """Self-attention of all pixels to keys and values at a lower resolution."""
    channels, reduction, name = features.shape[-1], _REDUCTIONS[stage], f"{name}.attention"
    query = _dense(channels, f"{name}.self.query")(features)
    if reduction > 1:
        start = _convolution_start(reduction * reduction * channels)
        features = layers.Conv2D(
            channels, reduction, strides=reduction, kernel_initializer=start, name=f"{name}.self.sr"
        )(features)
        features = layers.LayerNormalization(epsilon=_EPSILON_AFTER_CONVOLUTION, name=f"{name}.self.layer_norm")(
            features
        )
    key, value = (_dense(channels, f"{name}.self.{part}")(features) for part in ("key", "value"))
    context = DotProductAttention(_HEADS[stage], name=f"{name}.self")([query, key, value])
    return _dense(channels, f"{name}.output.dense")(context)


def _mix_ffn(features: tf.Tensor, stage: int, name: str) -> tf.Tensor:
    """Two dense layers with a depthwise convolution between them."""
    channels, name = features.shape[-1], f"{name}.mlp"
    features = _dense(_EXPANSION * channels, f"{name}.dense1")(features)
    features = layers.DepthwiseConv2D(
        3, padding="same", depthwise_initializer=_convolution_start(9), name=f"{name}.dwconv.dwconv"
    )(features)
    features = layers.Activation("gelu", name=f"{name}.gelu")(features)
    return _dense(channels, f"{name}.dense2")(features)


def _dense(channels: int, name: str) -> keras.layers.Layer:
    return layers.Dense(channels, kernel_initializer=_DENSE_START, name=name)


def _convolution_start(fan_out: int) -> keras.initializers.Initializer:
    """He's normal initialisation by the number of outputs, as in the paper's code."""
    return keras.initializers.RandomNormal(stddev=(2 / fan_out) ** 0.5)


class DotProductAttention(keras.layers.Layer):
    """Scaled dot-product attention of several heads over the pixels of feature maps."""

    def __init__(self, heads: int, **kwargs: Any) -> None:
        """Attends with `heads` heads, each on its share of the channels."""
        super().__init__(**kwargs)
        self._heads = heads

    def call(self, features: Sequence[tf.Tensor]) -> tf.Tensor:
        """Returns feature maps of the queries' size from queries, keys and values [B, H, W, C]."""
        query_BQND, key_BKND, value_BKND = (self._by_head(each) for each in features)
        scale = float(query_BQND.shape[-1]) ** -0.5
        score_BNQK = tf.einsum("bqnd,bknd->bnqk", query_BQND * scale, key_BKND)
        weight_BNQK = tf.cast(tf.nn.softmax(tf.cast(score_BNQK, tf.float32)), self.compute_dtype)
        context_BQND = tf.einsum("bnqk,bknd->bqnd", weight_BNQK, value_BKND)
        return tf.reshape(context_BQND, [-1, *features[0].shape[1:]])

    def _by_head(self, features_BHWC: tf.Tensor) -> tf.Tensor:
        _, height, width, channels = features_BHWC.shape
        return tf.reshape(features_BHWC, [-1, height * width, self._heads, channels // self._heads])
