"""The fixed windows of an image by which epochs are compared."""

from __future__ import annotations

import math

import tensorflow as tf

from common.records import VOID
from components.trainer.inference.grid import mirrored, tile_starts

Pair = tuple[tf.Tensor, tf.Tensor]


def fixed_windows(image_HWC: tf.Tensor, mask_HW: tf.Tensor, size_2: tuple[int, int], most: int) -> Pair:
    """Returns windows [N, h, w, C] that cover the image, or `most` of them, evenly spread, and their masks.

    Each pixel counts once: where windows overlap, and outside the image, the mask is void in all but one.
    """
    sides = tf.shape(mask_HW)
    (rows_NT, owns_rows_NT), (columns_NT, owns_columns_NT) = (_side(sides[i], size_2[i]) for i in range(2))
    down, across = tf.shape(rows_NT)[0], tf.shape(columns_NT)[0]
    number = down * across
    chosen = tf.minimum(number, most)
    place_K = tf.range(chosen) * number // chosen

    def window(place: tf.Tensor) -> Pair:
        row, column = place // across, place % across
        rows_T, columns_T = rows_NT[row], columns_NT[column]
        image = tf.gather(tf.gather(image_HWC, rows_T), columns_T, axis=1)
        mask = tf.gather(tf.gather(mask_HW, rows_T), columns_T, axis=1)
        own = owns_rows_NT[row][:, tf.newaxis] & owns_columns_NT[column]
        return image, tf.where(own, mask, tf.constant(VOID, tf.uint8))

    spec = tf.TensorSpec([*size_2, image_HWC.shape[-1]], image_HWC.dtype), tf.TensorSpec(size_2, tf.uint8)
    image, mask = tf.map_fn(window, place_K, fn_output_signature=spec)
    return image, mask


def count_fixed(height: int, width: int, size_2: tuple[int, int], most: int) -> int:
    """Returns the number of fixed windows of an image of that size."""
    return min(most, math.ceil(max(1, height / size_2[0])) * math.ceil(max(1, width / size_2[1])))


def _side(length: tf.Tensor, tile: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns for each window along a side its pixels [N, T], reflected beyond the image, and which it counts."""
    padded = tf.maximum(length, tile)
    margin = (padded - length) // 2
    start_N = tile_starts(padded, tile, 0.0)
    position_NT = start_N[:, tf.newaxis] + tf.range(tile)
    end_N = tf.concat([start_N[1:], [padded]], axis=0)
    inside_NT = (position_NT >= margin) & (position_NT < margin + length)
    return mirrored(position_NT - margin, length), inside_NT & (position_NT < end_N[:, tf.newaxis])
