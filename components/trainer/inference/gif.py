"""Extraction of a GIF's first frame in the graph (GIF89a, sections 18 to 23).

TensorFlow's decoder reads every frame and allocates for the largest, whatever the logical screen's size: some kilobytes
can request 12 GB.  So all data after the first frame is cut off before decoding.  The decoder also treats the frame as
the whole image; here, as in every viewer, the image is the logical screen, enlarged if the frame reaches beyond it.
Pixels outside the frame are black, like transparent ones.
"""

from __future__ import annotations

import tensorflow as tf

from components.trainer.inference.raw import bytes_at, joined
from components.transform.image_ops import decode_image

_EXTENSION, _IMAGE = 0x21, 0x2C
_SCREEN_BYTES, _IMAGE_BYTES = 13, 10
_MAX_BLOCKS = 1000  # Most blocks that are skipped before the first frame.
_BLOCK_BYTES = 255


def image_size(encoded: tf.Tensor) -> tf.Tensor:
    """Returns height and width, int32 [2], of the screen including the first frame; [0, 0] if there is no frame."""
    raw_N = _padded(encoded)
    start = _first_frame(raw_N)
    corner_2, frame_2 = _placed(raw_N, start)
    size_2 = tf.maximum(_sides(raw_N, 8, 6), corner_2 + frame_2)
    return tf.where((raw_N[start] == _IMAGE) & tf.reduce_all(frame_2 > 0), size_2, 0)


def first_frame_alone(encoded: tf.Tensor) -> tf.Tensor:
    """Returns a file that TensorFlow decodes to the image: the first frame as GIF, or a PNG if the screen is larger."""
    raw_N = _padded(encoded)
    start = _first_frame(raw_N)
    corner_2, frame_2 = _placed(raw_N, start)
    # Codes have at most 12 bits, and there is at most one per pixel: up to twice as many blocks are skipped.
    end, _ = _after_blocks(
        raw_N,
        start + _IMAGE_BYTES + _colour_table(raw_N[start + 9]) + 1,
        tf.constant(True),
        _MAX_BLOCKS + 3 * (tf.reduce_prod(frame_2) // _BLOCK_BYTES),
    )
    # The decoder's screen has the frame's size: the frame is moved to the corner first, and then to its place.
    parts = [
        bytes_at(encoded, 0, start + 1),
        b"\0\0\0\0",
        bytes_at(encoded, start + 5, tf.maximum(end - start - 5, 0)),
        b";",
    ]
    cornered = tf.strings.join(parts)
    size_2 = image_size(encoded)
    return tf.cond(
        tf.reduce_all(frame_2 == size_2), lambda: cornered, lambda: _on_screen(cornered, corner_2, frame_2, size_2)
    )


def _on_screen(gif: tf.Tensor, corner_2: tf.Tensor, frame_2: tf.Tensor, size_2: tf.Tensor) -> tf.Tensor:
    """Returns a PNG of the frame in `gif` at its place on the black screen."""
    margins_22 = tf.stack([corner_2, size_2 - corner_2 - frame_2], axis=1)
    return tf.io.encode_png(tf.pad(decode_image(gif), tf.concat([margins_22, [[0, 0]]], axis=0)), compression=0)


def _placed(raw_N: tf.Tensor, start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns top and left, height and width of the frame with the descriptor at `start`."""
    return _sides(raw_N, start + 3, start + 1), _sides(raw_N, start + 7, start + 5)


def _sides(raw_N: tf.Tensor, vertical: int | tf.Tensor, horizontal: int | tf.Tensor) -> tf.Tensor:
    """Returns two 2-byte integers, int32 [2], at their offsets."""
    places_2 = tf.stack([vertical, horizontal])
    return joined(tf.gather(raw_N, tf.stack([places_2, places_2 + 1], axis=1)), big_endian=False)


def _padded(encoded: tf.Tensor) -> tf.Tensor:
    """Returns the bytes as int32, padded with zeros, so that a few can be read at any offset of the file."""
    return tf.concat([tf.cast(tf.io.decode_raw(encoded, tf.uint8), tf.int32), tf.zeros([32], tf.int32)], axis=0)


def _first_frame(raw_N: tf.Tensor) -> tf.Tensor:
    """Returns the offset of the first image descriptor if the file is valid; else an offset without one."""
    place, inside = _after_blocks(raw_N, _SCREEN_BYTES + _colour_table(raw_N[10]), tf.constant(False), _MAX_BLOCKS)
    # Bytes inside an overlong extension are untrusted: they are not a descriptor even if they look like one.
    return tf.where(inside, _end(raw_N), place)


def _end(raw_N: tf.Tensor) -> tf.Tensor:
    """Returns an offset beyond the file, where zeros are read."""
    return tf.size(raw_N) - 16


def _after_blocks(
    raw_N: tf.Tensor, start: tf.Tensor, inside: tf.Tensor, most: int | tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the offset after a chain of data blocks, if `start` is `inside` one, and after all following extensions.

    Also returns whether that offset is still inside a chain, after `most` blocks.
    """
    end = _end(raw_N)

    def go_on(place: tf.Tensor, inside: tf.Tensor, blocks: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        length = raw_N[place]
        step = tf.where(inside, 1 + length, 2)  # Two bytes introduce an extension.
        return tf.minimum(place + step, end), ~inside | (length > 0), blocks + 1

    place, inside, _ = tf.while_loop(
        lambda place, inside, blocks: (place < end) & (blocks < most) & (inside | (raw_N[place] == _EXTENSION)),
        go_on,
        (tf.minimum(start, end), inside, tf.constant(0)),
    )
    return place, inside


def _colour_table(flags: tf.Tensor) -> tf.Tensor:
    """Returns the size of the colour table by the packed flags."""
    return tf.where(flags >= 0x80, 3 * tf.bitwise.left_shift(2, tf.bitwise.bitwise_and(flags, 7)), 0)
