"""Reading numbers from a file's bytes in the graph; bytes beyond the end are empty, never an error."""

from __future__ import annotations

import tensorflow as tf


def bytes_at(encoded: tf.Tensor, offset: int | tf.Tensor, length: int | tf.Tensor) -> tf.Tensor:
    """Up to `length` bytes from `offset` on, a string; a negative offset counts as one beyond the end."""
    end = tf.strings.length(encoded)
    inside = tf.where((offset >= 0) & (offset <= end), offset, end)
    return tf.strings.substr(encoded, inside, length)


def integer_at(encoded: tf.Tensor, offset: int | tf.Tensor, length: int, big_endian: bool) -> tf.Tensor:
    """The integer of `length` bytes at `offset`, int32; 0 if the text ends before it.

    Four bytes are read as signed: an unsigned number of 2³¹ or more comes out negative.
    """
    raw = tf.io.decode_raw(bytes_at(encoded, offset, length), tf.uint8)
    present = tf.equal(tf.size(raw), length)
    padded = tf.concat([tf.cast(raw, tf.int32), tf.zeros([length], tf.int32)], axis=0)[:length]
    return tf.where(present, joined(tf.ensure_shape(padded, [length]), big_endian), 0)


def occurrences(encoded: tf.Tensor, part: bytes) -> tf.Tensor:
    """Counts the occurrences of `part` in the bytes, int32."""
    raw_N = tf.io.decode_raw(encoded, tf.uint8)
    starts = tf.maximum(tf.size(raw_N) - len(part) + 1, 0)
    found_N = raw_N[:starts] == part[0]
    for index in range(1, len(part)):
        found_N &= raw_N[index : index + starts] == part[index]
    return tf.shape(tf.where(found_N))[0]


def joined(bytes_N: tf.Tensor, big_endian: bool) -> tf.Tensor:
    """Integers from the last axis of `bytes_N`, int32 [..., N] with 0…255."""
    length = bytes_N.shape[-1]
    order = range(length - 1, -1, -1) if big_endian else range(length)
    return tf.reduce_sum(bytes_N * tf.constant([1 << (8 * power) for power in order], tf.int32), axis=-1)
