"""The semantic branch of Kirillov et al., "Panoptic Feature Pyramid Networks" (2019).

The pyramid of Lin et al. (2017) adds the enlarged coarse features to the finer ones.  Each level is convolved and
enlarged to stride 4, and the levels are added.  As in segmentation_models.pytorch, the 3×3 convolution that Lin et al.
put behind each level of the pyramid is left out: the first convolution of the branch follows in its place.
"""

from __future__ import annotations

import tensorflow as tf
import tf_keras as keras

from components.trainer.architectures import FPN
from components.trainer.models.blocks import Repeated, convolution, enlarged
from components.trainer.models.encoders import encode, skip_layers

layers = keras.layers
_STRIDES = (4, 8, 16, 32)


def fpn(image_BHWC: tf.Tensor, config: FPN, num_outputs: int) -> tf.Tensor:
    """Logits [B, H, W, num_outputs] from images in 0…255; height and width must be divisible by 32."""
    layer_at = skip_layers(config.encoder)
    features = encode(image_BHWC, config.encoder, [layer_at[stride] for stride in _STRIDES])
    levels = [
        _at_stride_4(level, doublings, config)
        for doublings, level in enumerate(_pyramid(features, config.pyramid_width))
    ]
    together = layers.Add(name="branches")(levels)
    together = layers.SpatialDropout2D(config.dropout, name="branches_dropout")(together)
    return enlarged(layers.Conv2D(num_outputs, 1, name="head")(together), _STRIDES[0], "head_grow")


def _pyramid(features: list[tf.Tensor], width: int) -> list[tf.Tensor]:
    """Features of the same number of channels at each stride, from fine to coarse."""
    levels: list[tf.Tensor] = []
    for stride, fine in reversed(list(zip(_STRIDES, features, strict=True))):
        lateral = layers.Conv2D(width, 1, kernel_initializer="he_normal", name=f"lateral{stride}")(fine)
        if levels:
            above = Repeated((2, 2), name=f"top_down{stride}_grow")(levels[0])
            lateral = layers.Add(name=f"top_down{stride}")([lateral, above])
        levels.insert(0, lateral)
    return levels


def _at_stride_4(level: tf.Tensor, doublings: int, config: FPN) -> tf.Tensor:
    """Convolves a level of the pyramid, and enlarges it after each convolution."""
    stride = _STRIDES[doublings]
    for index in range(max(1, doublings)):
        name = f"branch{stride}_{index}"
        level = convolution(level, config.width, 3, name, config.normalise)
        if doublings:
            level = enlarged(level, 2, f"{name}_grow")
    return level
