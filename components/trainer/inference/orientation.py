"""How a picture must be turned to stand upright, read in the graph from its Exif data; TensorFlow's decoders ignore it.

Ingestion turns training pictures upright; an app's photograph of a street must stand as they did.  Exif data is a TIFF
file of its own (Exif 2.32, 4.5.2 and 4.6.4; TIFF 6.0, section 2) in a JPEG's APP1 segment or a PNG's eXIf chunk.
Whatever is not exactly that says nothing, and the picture stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from components.trainer.inference.header import is_jpeg, is_png
from components.trainer.inference.raw import bytes_at, integer_at, joined
from components.transform.picture import decode_image

_UPRIGHT = 1
_ORIENTATION_TAG = 0x0112
_SHORT = 3
_MAX_PARTS = 64  # Segments or chunks that are looked at; Exif comes first or near it.
_MAX_ENTRIES = 256  # Entries of a directory that are looked at.
_ENTRY_BYTES = 12


def orientation(encoded: tf.Tensor) -> tf.Tensor:
    """The Exif orientation, int32 1…8; 1, upright, where there is none or it is broken."""
    tiff = tf.case(
        [(is_jpeg(encoded), lambda: _tiff_in_jpeg(encoded)), (is_png(encoded), lambda: _tiff_in_png(encoded))],
        default=lambda: tf.strings.length(encoded),
    )
    return _orientation_in_tiff(encoded, tiff)


def turn(pixels: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """`pixels` [H, W, …], stored with `orientation`, made upright."""
    axes = tf.range(tf.rank(pixels))
    upright = tf.transpose(pixels, tf.where(orientation >= 5, tf.concat([[1, 0], axes[2:]], axis=0), axes))
    upright = _reverse_if(upright, 0, _is_one_of(orientation, 3, 4, 7, 8))
    return tf.ensure_shape(
        _reverse_if(upright, 1, _is_one_of(orientation, 2, 3, 6, 7)), [None, None, *pixels.shape[2:]]
    )


def decode_upright(encoded: tf.Tensor) -> tf.Tensor:
    """The picture as every viewer shows it: uint8 [H, W, 3]."""
    return turn(decode_image(encoded), orientation(encoded))


def upright(encoded: tf.Tensor, size_2: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """A picture's bytes and its height and width, both upright: those that came in, or, as at ingestion, a PNG's."""
    turned = orientation(encoded)
    upright_file = tf.cond(
        turned == _UPRIGHT,
        lambda: encoded,
        # Written once and read once, in memory: not worth a compression.
        lambda: tf.io.encode_png(turn(decode_image(encoded), turned), compression=0),
    )
    return upright_file, tf.where(turned >= 5, size_2[::-1], size_2)


def _is_one_of(number: tf.Tensor, *choices: int) -> tf.Tensor:
    return tf.reduce_any(number == tf.constant(choices))


def _reverse_if(pixels: tf.Tensor, axis: int, condition: tf.Tensor) -> tf.Tensor:
    return tf.cond(condition, lambda: tf.reverse(pixels, [axis]), lambda: pixels)


def _tiff_in_jpeg(encoded: tf.Tensor) -> tf.Tensor:
    """Offset of the TIFF header in the first APP1 segment with Exif data (ISO/IEC 10918-1, B.1.1); else the end."""

    def look(offset: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        marker = integer_at(encoded, offset, 2, big_endian=True)
        is_exif = (marker == 0xFFE1) & (bytes_at(encoded, offset + 4, 6) == b"Exif\0\0")
        # A marker may be preceded by any number of fill bytes 0xFF; scan (SOS) and end (EOI) end the header.
        step = tf.where(marker == 0xFFFF, 1, 2 + integer_at(encoded, offset + 2, 2, big_endian=True))
        return tf.where(is_exif, offset + 10, -1), step, (marker < 0xFF01) | (marker == 0xFFDA) | (marker == 0xFFD9)

    return _search(encoded, 2, look)


def _tiff_in_png(encoded: tf.Tensor) -> tf.Tensor:
    """Offset of the TIFF header in an eXIf chunk before the pixels (PNG, third edition, 11.3.4.4); else the end."""

    def look(offset: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        length, kind = integer_at(encoded, offset, 4, big_endian=True), bytes_at(encoded, offset + 4, 4)
        ends = (kind == b"IDAT") | (tf.strings.length(kind) < 4) | (length < 0)
        step = 12 + tf.minimum(length, tf.strings.length(encoded))
        return tf.where(kind == b"eXIf", offset + 8, -1), step, ends

    return _search(encoded, 8, look)


def _search(
    encoded: tf.Tensor, start: int, look: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor, tf.Tensor]]
) -> tf.Tensor:
    """Goes from part to part of a file; `look` gives what is found there (or −1), the step to the next, and an end."""
    end = tf.strings.length(encoded)

    def go_on(offset: tf.Tensor, found: tf.Tensor, parts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        here, step, ends = look(offset)
        return tf.where(ends, end, tf.minimum(offset + step, end)), tf.where(ends, -1, here), parts + 1

    _, found, _ = tf.while_loop(
        lambda offset, found, parts: (offset < end) & (found < 0) & (parts < _MAX_PARTS),
        go_on,
        (tf.constant(start), tf.constant(-1), tf.constant(0)),
    )
    return tf.where(found < 0, end, found)


def _orientation_in_tiff(encoded: tf.Tensor, tiff: tf.Tensor) -> tf.Tensor:
    """The orientation in the first directory of the TIFF file at `tiff`."""
    byte_order = bytes_at(encoded, tiff, 4)
    big, little = byte_order == b"MM\0*", byte_order == b"II*\0"

    def number(read: Callable[[bool], tf.Tensor]) -> tf.Tensor:
        return tf.where(big, read(True), read(False))

    jump = number(lambda big_endian: integer_at(encoded, tiff + 4, 4, big_endian))
    end = tf.strings.length(encoded)
    directory = tf.where((jump >= 0) & (jump < end), tiff + jump, end)
    entries = tf.minimum(number(lambda big_endian: integer_at(encoded, directory, 2, big_endian)), _MAX_ENTRIES)
    raw = tf.cast(tf.io.decode_raw(bytes_at(encoded, directory + 2, _ENTRY_BYTES * entries), tf.uint8), tf.int32)
    whole_N12 = tf.reshape(raw[: tf.size(raw) // _ENTRY_BYTES * _ENTRY_BYTES], [-1, _ENTRY_BYTES])

    def column(first: int, last: int) -> tf.Tensor:
        return number(lambda big_endian: joined(whole_N12[:, first:last], big_endian))

    fits_N = (column(0, 2) == _ORIENTATION_TAG) & (column(2, 4) == _SHORT) & (column(4, 8) == 1)
    value = tf.reduce_max(tf.concat([[0], tf.where(fits_N, column(8, 10), 0)], axis=0))
    return tf.where((big | little) & (value >= 1) & (value <= 8), value, _UPRIGHT)
