"""The first frame of a GIF (GIF89a, sections 18 to 23), found in the graph.

TensorFlow's decoder reads every frame and allocates for the largest, whatever the logical screen says: a few kilobytes
can ask for 12 GB.  So the size is that of the first frame, and what follows it is cut off before anything is decoded.
"""

from __future__ import annotations

import tensorflow as tf

from components.trainer.inference.raw import joined

_EXTENSION, _IMAGE = 0x21, 0x2C
_SCREEN_BYTES, _IMAGE_BYTES = 13, 10
_MAX_BLOCKS = 1000  # Blocks that are passed over in front of the first frame.
_BLOCK_BYTES = 255


def first_frame_size(encoded: tf.Tensor) -> tf.Tensor:
    """Height and width, int32 [2], of the first frame; [0, 0] where there is none."""
    raw_N = _padded(encoded)
    start = _first_frame(raw_N)
    size_22 = tf.gather(raw_N, start + tf.constant([[7, 8], [5, 6]]))
    return tf.where(raw_N[start] == _IMAGE, joined(size_22, big_endian=False), 0)


def first_frame_alone(encoded: tf.Tensor) -> tf.Tensor:
    """The file with all that follows its first frame cut off."""
    raw_N = _padded(encoded)
    start = _first_frame(raw_N)
    pixels = tf.reduce_prod(first_frame_size(encoded))
    # Codes have at most 12 bits, one for a pixel at most: twice as many blocks as that takes are passed over.
    end, _ = _after_blocks(
        raw_N,
        start + _IMAGE_BYTES + _colour_table(raw_N[start + 9]) + 1,
        tf.constant(True),
        _MAX_BLOCKS + 3 * (pixels // _BLOCK_BYTES),
    )
    return tf.strings.substr(encoded, 0, tf.minimum(end, tf.strings.length(encoded))) + b";"


def _padded(encoded: tf.Tensor) -> tf.Tensor:
    """The bytes as int32, with zeros behind them, so that a few of them can be read from any place in the file."""
    return tf.concat([tf.cast(tf.io.decode_raw(encoded, tf.uint8), tf.int32), tf.zeros([32], tf.int32)], axis=0)


def _first_frame(raw_N: tf.Tensor) -> tf.Tensor:
    """Where the first image descriptor is, if the file is sound; else a place where there is none."""
    place, inside = _after_blocks(raw_N, _SCREEN_BYTES + _colour_table(raw_N[10]), tf.constant(False), _MAX_BLOCKS)
    # Inside an extension that is too long the bytes are what somebody wrote there: no descriptor, though it look so.
    return tf.where(inside, _end(raw_N), place)


def _end(raw_N: tf.Tensor) -> tf.Tensor:
    """A place behind all bytes of the file, where zeros are read."""
    return tf.size(raw_N) - 16


def _after_blocks(
    raw_N: tf.Tensor, start: tf.Tensor, inside: tf.Tensor, most: int | tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """The place after a chain of data blocks, if `start` is `inside` one, and after all extensions that follow.

    Also whether that place is inside a chain still, after `most` blocks.
    """
    end = _end(raw_N)

    def go_on(place: tf.Tensor, inside: tf.Tensor, blocks: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        length = raw_N[place]
        step = tf.where(inside, 1 + length, 2)  # An extension's two bytes say which it is.
        return tf.minimum(place + step, end), ~inside | (length > 0), blocks + 1

    place, inside, _ = tf.while_loop(
        lambda place, inside, blocks: (place < end) & (blocks < most) & (inside | (raw_N[place] == _EXTENSION)),
        go_on,
        (tf.minimum(start, end), inside, tf.constant(0)),
    )
    return place, inside


def _colour_table(flags: tf.Tensor) -> tf.Tensor:
    """Bytes of the colour table that packed flags announce."""
    return tf.where(flags >= 0x80, 3 * tf.bitwise.left_shift(2, tf.bitwise.bitwise_and(flags, 7)), 0)
