"""A picture's size, read in the graph from its header, before a pixel of it is decoded.

TensorFlow's decoders know no limit: a PNG of 389 KB can make them allocate 1.2 GB.
"""

from __future__ import annotations

import tensorflow as tf

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_GIF = b"GIF8"
_BMP = b"BM"


def picture_size(encoded: tf.Tensor) -> tf.Tensor:
    """Height and width, int32 [2], of a JPEG, PNG, GIF or BMP; a size of [0, 0] stands for any other format.

    Offsets: PNG's IHDR (RFC 2083, 4.1.1), GIF's logical screen (GIF89a, 18), BMP's BITMAPINFOHEADER.
    """

    def starts_with(magic: bytes) -> tf.Tensor:
        return tf.equal(tf.strings.substr(encoded, 0, len(magic)), magic)

    def at(height_offset: int, width_offset: int, length: int, big_endian: bool) -> tf.Tensor:
        return tf.stack(
            [_integer(encoded, offset, length, big_endian) for offset in (height_offset, width_offset)], axis=0
        )

    return tf.case(
        [
            (starts_with(_JPEG), lambda: tf.io.extract_jpeg_shape(encoded)[:2]),
            (starts_with(_PNG), lambda: at(20, 16, 4, big_endian=True)),
            (starts_with(_GIF), lambda: at(8, 6, 2, big_endian=False)),
            (starts_with(_BMP), lambda: tf.abs(at(22, 18, 4, big_endian=False))),
        ],
        default=lambda: tf.zeros([2], tf.int32),
    )


def check_picture(encoded: tf.Tensor, max_pixels: int | tf.Tensor) -> tf.Tensor:
    """The size of a picture, int32 [2].

    Raises:
        tf.errors.InvalidArgumentError: in the graph, when it is no picture or has more than `max_pixels` pixels.
    """
    size_2 = picture_size(encoded)
    pixels = tf.reduce_prod(tf.cast(size_2, tf.int64))
    no_picture = tf.debugging.Assert(
        tf.reduce_all(size_2 > 0), ["picture refused: it is no JPEG, PNG, GIF or BMP, or its header is broken"]
    )
    too_large = tf.debugging.Assert(
        pixels <= max_pixels,
        ["picture refused: height and width", size_2, "are over the limit of", max_pixels, "pixels"],
    )
    with tf.control_dependencies([op for op in (no_picture, too_large) if op is not None]):
        return tf.identity(size_2)


def _integer(encoded: tf.Tensor, offset: int, length: int, big_endian: bool) -> tf.Tensor:
    """The integer of `length` bytes at `offset`; 0 if the text ends before it."""
    raw = tf.io.decode_raw(tf.strings.substr(encoded, tf.minimum(offset, tf.strings.length(encoded)), length), tf.uint8)
    present = tf.equal(tf.size(raw), length)
    order = range(length - 1, -1, -1) if big_endian else range(length)
    padded = tf.concat([tf.cast(raw, tf.int32), tf.zeros([length], tf.int32)], axis=0)[:length]
    value = tf.reduce_sum(padded * tf.constant([1 << (8 * power) for power in order], tf.int32))
    return tf.where(present, value, 0)
