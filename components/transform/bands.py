"""Images of bands in the graph: decoding a record's samples, and scaling them to 0…255 as floating point."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf
import tensorflow_transform as tft

from common.band_image import COMPRESSED, DEPTHS, HEADER_BYTES, MAGIC
from components.transform.values_config import FixedRange, FullRange, PercentileRange

WHITE = 255.0
"""The greatest value of a scaled sample, as of an 8-bit one, so that all that follows has one unit."""

_DRAWN = 4096
"""Pixels of an image that count for the percentiles."""
_SPREAD = 2_654_435_761
"""Prime that spreads the drawn pixels over the image: any row or column has its share."""
_BUCKETS = 1000
_QUANTILE_ERROR = 1e-4
_HEADER_INTEGERS = 4


class Range(NamedTuple):
    """The samples of each band that become 0 and 255."""

    low_C: tf.Tensor
    high_C: tf.Tensor
    boundary_CK: tf.Tensor | None = None
    """Samples of each band in the training data, at evenly spaced ranks, from which the range was taken."""

    def statistics(self) -> tuple[tf.Tensor, tf.Tensor] | None:
        """Returns mean and standard deviation [C] of the scaled training data; `None` if the range is not of it.

        An analyzer of what another analyzer has scaled would need a second pass, for which TFX copies the first one
        by `tensorflow_transform.beam.deep_copy`; that of 1.16 does not run on its Beam.
        """
        if self.boundary_CK is None:
            return None
        scaled_KC = scaled_values(tf.transpose(self.boundary_CK), self)
        return tf.reduce_mean(scaled_KC, axis=0), tf.math.reduce_std(scaled_KC, axis=0)


def decode_bands(encoded: tf.Tensor, depth: str, bands: int) -> tf.Tensor:
    """Decodes the bytes of `common.band_image` to [H, W, bands] of the type `depth`.

    Raises:
        tf.errors.InvalidArgumentError: in the graph, if they have another depth or number of bands.
    """
    dtype = tf.as_dtype(depth)
    header_4 = header_integers(encoded)
    right = tf.reduce_all(header_4[::3] == tf.constant([DEPTHS.index(depth), bands]))
    with tf.control_dependencies([tf.debugging.Assert(right, ["depth and bands of an image", header_4])]):
        stored = tf.strings.substr(encoded, HEADER_BYTES, tf.strings.length(encoded) - HEADER_BYTES)

    def unpacked() -> tf.Tensor:
        raw = tf.io.decode_raw(tf.io.decode_compressed(stored, "ZLIB"), tf.uint8)
        bytes_N = tf.transpose(tf.reshape(raw, [dtype.size, -1]))
        return bytes_N[:, 0] if dtype.size == 1 else tf.bitcast(bytes_N, dtype)

    is_compressed = tf.strings.substr(encoded, len(MAGIC), 1) == COMPRESSED
    samples_N = tf.cond(is_compressed, unpacked, lambda: tf.io.decode_raw(stored, dtype))
    return tf.ensure_shape(tf.reshape(samples_N, header_4[1:]), [None, None, bands])


def header_integers(encoded: tf.Tensor) -> tf.Tensor:
    """Returns index of the depth, height, width and number of bands, int32 [4], of at least `HEADER_BYTES` bytes."""
    begin = len(MAGIC) + 1
    header = tf.strings.substr(encoded, begin, HEADER_BYTES - begin)
    return tf.ensure_shape(tf.io.decode_raw(header, tf.int32), [_HEADER_INTEGERS])


def drawn_samples(image_HWC: tf.Tensor) -> tf.Tensor:
    """Returns the samples [4096, C] of pixels that are evenly spread over an image, float32; always the same ones."""
    flat_NC = tf.reshape(image_HWC, [-1, image_HWC.shape[-1]])
    pixels = tf.cast(tf.shape(flat_NC)[0], tf.int64)
    return tf.cast(tf.gather(flat_NC, tf.range(_DRAWN, dtype=tf.int64) * _SPREAD % pixels), tf.float32)


def value_range(
    config: FullRange | FixedRange | PercentileRange, depth: str, bands: int, drawn_BNC: tf.Tensor
) -> Range:
    """Returns the range of each band.

    Args:
        config: How it is chosen.
        depth: The samples' type.
        bands: C.
        drawn_BNC: Samples of the images, of which percentiles are taken over the training split.
    """
    if isinstance(config, FixedRange):
        return Range(tf.fill([bands], config.low), tf.fill([bands], config.high))
    if isinstance(config, FullRange):
        return Range(tf.zeros([bands]), tf.fill([bands], float(tf.as_dtype(depth).max)))
    boundary_CK = tft.quantiles(
        tf.reshape(drawn_BNC, [-1, bands]), _BUCKETS, _QUANTILE_ERROR, reduce_instance_dims=False
    )
    low_C, high_C = (
        tf.ensure_shape(boundary_CK[:, round(percent * _BUCKETS / 100) - 1], [bands])
        for percent in (config.low, config.high)
    )
    return Range(low_C, high_C, tf.ensure_shape(boundary_CK, [bands, None]))


def scaled_values(image_HWC: tf.Tensor, limits: Range) -> tf.Tensor:
    """Maps samples linearly, float32: the range of each band to 0…255; what lies outside becomes 0 or 255.

    A band that is the same everywhere, whose range is empty, becomes 0.
    """
    extent_C = limits.high_C - limits.low_C
    share_HWC = tf.math.divide_no_nan(tf.cast(image_HWC, tf.float32) - limits.low_C, extent_C)
    return tf.clip_by_value(share_HWC, 0.0, 1.0) * WHITE
