"""FCN-8s of Long, Shelhamer and Darrell, "Fully Convolutional Networks for Semantic Segmentation" (2015).

The classifier of VGG16 becomes convolutions, whose scores at stride 32 are refined by those of the fourth and the third
pool.  As in the paper, the scores of the pools start at zero, so that a training begins with the coarse prediction
whatever the pools' scale; enlarging starts bilinear and is learnt, and the last enlargement stays bilinear.  Images
are padded evenly ("same") instead of by 100 pixels and a crop.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from components.trainer.architectures import FCN8
from components.trainer.models.blocks import enlarged
from components.trainer.models.encoders import encode

layers = keras.layers


def fcn8(image_BHWC: tf.Tensor, config: FCN8, num_outputs: int) -> tf.Tensor:
    """Logits [B, H, W, num_outputs] from images in 0…255; height and width must be divisible by 32."""
    pool3, pool4, features = encode(image_BHWC, config.encoder, ["block3_pool", "block4_pool", "block5_pool"])
    for name, size in (("fc6", 7), ("fc7", 1)):
        features = layers.Conv2D(
            config.head_width, size, padding="same", activation="relu", kernel_initializer="he_normal", name=name
        )(features)
        features = layers.Dropout(config.dropout, name=f"{name}_dropout")(features)
    scores = layers.Conv2D(num_outputs, 1, name="score_fc7")(features)
    for name, pool in (("pool4", pool4), ("pool3", pool3)):
        fine = layers.Conv2D(num_outputs, 1, kernel_initializer="zeros", name=f"score_{name}")(pool)
        scores = layers.Add(name=f"fuse_{name}")([_doubled(scores, num_outputs, f"grow_to_{name}"), fine])
    return enlarged(scores, 8, "grow_to_picture")


def _doubled(scores: tf.Tensor, channels: int, name: str) -> tf.Tensor:
    return layers.Conv2DTranspose(
        channels, 4, strides=2, padding="same", use_bias=False, kernel_initializer=Bilinear(), name=name
    )(scores)


class Bilinear(keras.initializers.Initializer):
    """The kernel with which a transposed convolution of stride s and size 2·s resizes each channel bilinearly."""

    def __call__(self, shape: tuple[int, int, int, int], dtype: Any = None, **_: Any) -> tf.Tensor:
        """A kernel of `shape`: height, width, channels out, channels in."""
        rows, columns = (_tent(size) for size in shape[:2])
        kernel = rows[:, None, None, None] * columns[:, None, None] * np.eye(shape[2], shape[3])
        return tf.constant(kernel, dtype or tf.float32)


def _tent(size: int) -> np.ndarray:
    """Weights of linear interpolation, falling from the middle by 1 over half of `size`."""
    distance = np.abs(np.arange(size) - (size - 1) / 2)
    return 1 - distance / (size / 2)
