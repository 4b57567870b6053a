"""The decoder of Zhou et al., "UNet++: A Nested U-Net Architecture for Medical Image Segmentation" (2018).

A node X(i, j) of level i has two convolutions over all nodes before it at its level and the enlarged one below:
X(i, j) = H([X(i, 0), …, X(i, j−1), up(X(i+1, j−1))]), with the encoder's features as X(i, 0).  As in the paper, all
nodes of a level have the same number of channels.  Deep supervision, an option there, is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf
import tf_keras as keras

from components.trainer.models.blocks import enlarged

layers = keras.layers

Node = Callable[[tf.Tensor, int, str], tf.Tensor]
"""Two convolutions at a level, counted from the finest, under a name."""


def nested_decoder(features: Sequence[tf.Tensor | None], node: Node) -> tf.Tensor:
    """Returns the last node of the finest level.

    Args:
        features: The encoder's features from the finest level to the coarsest; the finest may be missing.
        node: Makes H at a level.
    """
    levels: list[list[tf.Tensor]] = [[] if found is None else [found] for found in features]
    last = len(features) - 1
    for column in range(1, last + 1):
        for level in range(last - column + 1):
            name = f"x{level}_{column}"
            below = levels[level + 1][column - 1]
            inputs = [*levels[level], enlarged(below, 2, f"{name}_grow")]
            joined = layers.Concatenate(name=f"{name}_join")(inputs) if len(inputs) > 1 else inputs[0]
            levels[level].append(node(joined, level, name))
    return levels[0][-1]
