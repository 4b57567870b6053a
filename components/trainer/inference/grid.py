"""Positions and weights of the tiles along one side of an image."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

SIGMA = 1 / 8
"""Standard deviation of the weights as a share of the tile: nnU-Net's (Isensee et al., Nature Methods 18, 2021) and
MONAI's."""


class Side(NamedTuple):
    """The tiles along one side.

    Positions are relative to the first pixel of the first tile, which is the image's first pixel unless the image is
    smaller than a tile: then it is centred in one.
    """

    length: tf.Tensor
    """Length of the image."""
    padded: tf.Tensor
    """The larger of the image's and a tile's length."""
    margin: tf.Tensor
    """Pixels before the image's first."""
    position_NT: tf.Tensor
    """Positions of the pixels of each tile."""
    weight_NT: tf.Tensor
    """Weight of each pixel of each tile; at each position the weights add up to 1."""


def lay_tiles(length: tf.Tensor, tile: int, overlap: float) -> Side:
    """Covers `length` pixels with tiles that overlap their neighbours by at least the share `overlap`."""
    padded = tf.maximum(length, tile)
    position_NT = tile_starts(padded, tile, overlap)[:, tf.newaxis] + tf.range(tile)
    raw_NT = tf.broadcast_to(importance(tile), tf.shape(position_NT))
    total_P = tf.tensor_scatter_nd_add(tf.zeros([padded]), position_NT[..., tf.newaxis], raw_NT)
    return Side(length, padded, (padded - length) // 2, position_NT, raw_NT / tf.gather(total_P, position_NT))


def tile_starts(padded: tf.Tensor, tile: int, overlap: float) -> tf.Tensor:
    """Returns the first positions of the fewest tiles that overlap enough, spread evenly, int32 [N]."""
    stride = max(1, round(tile * (1 - overlap)))
    steps = tf.cast((padded - tile + stride - 1) // stride, tf.int64)
    way = tf.cast(padded - tile, tf.int64)
    divisor = tf.maximum(2 * steps, 1)
    return tf.cast((2 * tf.range(steps + 1) * way + steps) // divisor, tf.int32)


def importance(tile: int) -> tf.Tensor:
    """A Gaussian over the pixels of a tile [T], 1 in its middle.

    Weights of one side suffice: a tile's weights are the product of those of its rows and columns.
    """
    from_middle_T = tf.range(tile, dtype=tf.float32) - (tile - 1) / 2
    return tf.exp(-0.5 * tf.square(from_middle_T / (SIGMA * tile)))


def mirrored(position: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
    """Maps positions to pixels of the image, which is reflected beyond its ends."""
    folded = tf.math.floormod(position, 2 * length)
    return tf.minimum(folded, 2 * length - 1 - folded)
