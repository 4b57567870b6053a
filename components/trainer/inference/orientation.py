"""Exif orientation of an image, read in the graph; TensorFlow's decoders ignore it.

Ingestion turns training images upright, so images from apps must be turned too.  The reading is the same as in
`common.orientation`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from common.decompression_bomb import PNG_START
from common.orientation import (
    EXIF,
    FIRST_DIRECTORY,
    HIGHEST,
    MAX_ENTRIES,
    MAX_PARTS,
    ORIENTATION_TAG,
    SHORT,
    UPRIGHT,
)
from common.traced_once import BYTES, traced_once
from components.trainer.inference.header import is_jpeg, is_png
from components.trainer.inference.raw import bytes_at, integer_at, joined
from components.transform.image_ops import decode_image

_ENTRY_BYTES = 12


class _Part(NamedTuple):
    """A segment or chunk: whether and where it holds Exif data, the step to the next, and whether the search ends."""

    is_exif: tf.Tensor
    content: tf.Tensor
    length: tf.Tensor
    step: tf.Tensor
    ends: tf.Tensor


@traced_once(BYTES)
def orientation(encoded: tf.Tensor) -> tf.Tensor:
    """Returns the Exif orientation, int32 1…8; 1, upright, if there is none or it is invalid."""
    exif = tf.case(
        [(is_jpeg(encoded), lambda: _exif_in_jpeg(encoded)), (is_png(encoded), lambda: _exif_in_png(encoded))],
        default=lambda: tf.constant(""),
    )
    return _orientation_in_tiff(exif)


def turn(pixels: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """`pixels` [H, W, …], stored with `orientation`, made upright."""
    axes = tf.range(tf.rank(pixels))
    upright = tf.transpose(pixels, tf.where(orientation >= 5, tf.concat([[1, 0], axes[2:]], axis=0), axes))
    upright = _reverse_if(upright, 0, _is_one_of(orientation, 3, 4, 7, 8))
    return tf.ensure_shape(
        _reverse_if(upright, 1, _is_one_of(orientation, 2, 3, 6, 7)), [None, None, *pixels.shape[2:]]
    )


def decode_upright(encoded: tf.Tensor) -> tf.Tensor:
    """Decodes the image as every viewer shows it: uint8 [H, W, 3]."""
    return turn(decode_image(encoded), orientation(encoded))


def upright(encoded: tf.Tensor, size_2: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns an upright image's bytes, height and width: the input's, or a PNG's as in ingestion."""
    turned = orientation(encoded)
    upright_file = tf.cond(
        turned == UPRIGHT,
        lambda: encoded,
        # Written and read once, in memory: compression is not worthwhile.
        lambda: tf.io.encode_png(turn(decode_image(encoded), turned), compression=0),
    )
    return upright_file, tf.where(turned >= 5, size_2[::-1], size_2)


def _is_one_of(number: tf.Tensor, *choices: int) -> tf.Tensor:
    return tf.reduce_any(number == tf.constant(choices))


def _reverse_if(pixels: tf.Tensor, axis: int, condition: tf.Tensor) -> tf.Tensor:
    return tf.cond(condition, lambda: tf.reverse(pixels, [axis]), lambda: pixels)


def _exif_in_jpeg(encoded: tf.Tensor) -> tf.Tensor:
    """The content of the first APP1 segment with Exif data (ISO/IEC 10918-1, B.1.1); else nothing."""

    def look(offset: tf.Tensor) -> _Part:
        marker, length = (integer_at(encoded, offset + at, 2, big_endian=True) for at in (0, 2))
        is_exif = (marker == 0xFFE1) & (bytes_at(encoded, offset + 4, len(EXIF)) == EXIF)
        fill = marker == 0xFFFF
        # A marker may be preceded by any number of fill bytes 0xFF; scan (SOS) and end (EOI) end the header.
        ends = (marker <= 0xFF00) | (marker == 0xFFDA) | (marker == 0xFFD9) | (~fill & (length < 2))
        return _Part(is_exif, offset + 10, length - 8, tf.where(fill, 1, 2 + length), ends)

    return _search(encoded, 2, look)


def _exif_in_png(encoded: tf.Tensor) -> tf.Tensor:
    """The content of the first eXIf chunk before the pixels (PNG, third edition, 11.3.4.4); else nothing."""

    def look(offset: tf.Tensor) -> _Part:
        length, kind = integer_at(encoded, offset, 4, big_endian=True), bytes_at(encoded, offset + 4, 4)
        ends = (kind == b"IDAT") | (tf.strings.length(kind) < 4) | (length < 0)
        length = tf.minimum(length, tf.strings.length(encoded))
        return _Part(kind == b"eXIf", offset + 8, length, 12 + length, ends)

    return _search(encoded, len(PNG_START), look)


def _search(encoded: tf.Tensor, start: int, look: Callable[[tf.Tensor], _Part]) -> tf.Tensor:
    """Iterates over the parts of a file until `look` finds Exif data; returns it, or nothing."""
    end = tf.strings.length(encoded)

    def go_on(offset: tf.Tensor, found: tf.Tensor, length: tf.Tensor, parts: tf.Tensor) -> tuple[tf.Tensor, ...]:
        part = look(offset)
        here = part.is_exif & ~part.ends
        beyond = tf.where(part.ends, end, tf.minimum(offset + part.step, end))
        return beyond, tf.where(here, part.content, -1), tf.maximum(part.length, 0), parts + 1

    _, found, length, _ = tf.while_loop(
        lambda offset, found, length, parts: (offset < end) & (found < 0) & (parts < MAX_PARTS),
        go_on,
        (tf.constant(start), tf.constant(-1), tf.constant(0), tf.constant(0)),
    )
    return bytes_at(encoded, found, length)


def _orientation_in_tiff(tiff: tf.Tensor) -> tf.Tensor:
    """The orientation in the first directory of Exif data, which begins with its TIFF header."""
    byte_order = bytes_at(tiff, 0, 4)
    big, little = byte_order == b"MM\0*", byte_order == b"II*\0"

    def number(read: Callable[[bool], tf.Tensor]) -> tf.Tensor:
        return tf.where(big, read(True), read(False))

    place = number(lambda big_endian: integer_at(tiff, 4, 4, big_endian))
    end = tf.strings.length(tiff)
    directory = tf.where((place >= FIRST_DIRECTORY) & (place < end), place, end)
    entries = tf.minimum(number(lambda big_endian: integer_at(tiff, directory, 2, big_endian)), MAX_ENTRIES)
    raw = tf.cast(tf.io.decode_raw(bytes_at(tiff, directory + 2, _ENTRY_BYTES * entries), tf.uint8), tf.int32)
    whole_N12 = tf.reshape(raw[: tf.size(raw) // _ENTRY_BYTES * _ENTRY_BYTES], [-1, _ENTRY_BYTES])

    def column(first: int, last: int) -> tf.Tensor:
        return number(lambda big_endian: joined(whole_N12[:, first:last], big_endian))

    value_N = column(8, 10)
    is_tag_N = (column(0, 2) == ORIENTATION_TAG) & (column(2, 4) == SHORT) & (column(4, 8) == 1)
    sound_N = is_tag_N & (value_N >= UPRIGHT) & (value_N <= HIGHEST)
    first = tf.concat([tf.boolean_mask(value_N, sound_N), [UPRIGHT]], axis=0)[0]
    return tf.where(big | little, first, UPRIGHT)
