"""Reading an image's size from its header in the graph, before a pixel is decoded.

TensorFlow's decoders have no limit: a PNG of 389 KB can make them allocate 1.2 GB.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from common.decompression_bomb import (
    COMPRESSED_TEXT,
    MAX_SCANS,
    MAX_TEXTS,
    PNG_START,
    REFUSED,
    SCAN,
    TOO_MUCH_DATA,
    png_bytes,
)
from common.traced_once import BYTES, traced_once
from components.trainer.inference.gif import first_frame_alone, image_size
from components.trainer.inference.raw import bytes_at, integer_at, occurrences

_IHDR = b"\0\0\0\x0dIHDR"
_JPEG = b"\xff\xd8\xff"
_GIF = b"GIF8"
_BMP = b"BM"


def is_png(encoded: tf.Tensor) -> tf.Tensor:
    """Whether the bytes begin as a PNG does."""
    return _starts_with(encoded, PNG_START)


def is_jpeg(encoded: tf.Tensor) -> tf.Tensor:
    """Whether the bytes begin as a JPEG does."""
    return _starts_with(encoded, _JPEG)


def header_size(encoded: tf.Tensor) -> tf.Tensor:
    """Returns height and width, int32 [2], of a JPEG, PNG, GIF or BMP; [0, 0] for any other format.

    Offsets: PNG's IHDR (RFC 2083, 4.1.1), BMP's BITMAPINFOHEADER; of a GIF it is its screen's size.  A PNG whose
    first chunk is a different one gets no size here: libpng skips it, to an unchecked IHDR.
    """

    def at(height_offset: int, width_offset: int, length: int, big_endian: bool) -> tf.Tensor:
        return tf.stack(
            [integer_at(encoded, offset, length, big_endian) for offset in (height_offset, width_offset)], axis=0
        )

    return tf.case(
        [
            (is_jpeg(encoded), lambda: tf.io.extract_jpeg_shape(encoded)[:2]),
            (is_png(encoded), lambda: tf.where(bytes_at(encoded, 8, 8) == _IHDR, at(20, 16, 4, big_endian=True), 0)),
            (_starts_with(encoded, _GIF), lambda: image_size(encoded)),
            (_starts_with(encoded, _BMP), lambda: tf.abs(at(22, 18, 4, big_endian=False))),
        ],
        default=lambda: tf.zeros([2], tf.int32),
    )


class Looked(NamedTuple):
    """Size by the header, int32 [2], and the reason of the rejection: a sentence, empty if the image may be decoded."""

    size_2: tf.Tensor
    refusal: tf.Tensor


LOOKED = Looked(tf.TensorSpec([2], tf.int32), tf.TensorSpec([], tf.string))
"""Types of the result, for `tf.map_fn`."""


def look_at(encoded: tf.Tensor, max_pixels: int | tf.Tensor) -> Looked:
    """Reads an image's header and checks it before decoding.

    It is rejected if it is not an image, has more than `max_pixels` pixels, is a decompression bomb (see
    `common.decompression_bomb`), or is a BMP of a kind that TensorFlow misreads.

    Raises:
        tf.errors.InvalidArgumentError: in the graph, when the header of a JPEG is broken.
    """
    return Looked(*_look_at(encoded, tf.cast(max_pixels, tf.int64)))


@traced_once(BYTES, tf.TensorSpec([], tf.int64))
def _look_at(encoded: tf.Tensor, max_pixels: tf.Tensor) -> Looked:
    size_2 = header_size(encoded)
    pixels = tf.reduce_prod(tf.cast(size_2, tf.int64))
    length = tf.cast(tf.strings.length(encoded), tf.int64)
    refusals = [
        unless(tf.reduce_all(size_2 > 0), "it is not a JPEG, PNG, GIF or BMP, or its header is broken"),
        over_limit(size_2, max_pixels, "height and width"),
        unless(
            ~_starts_with(encoded, _BMP) | _is_plain_bmp(encoded),
            "a BMP must have 24 bits a pixel and no compression; save it as PNG",
        ),
        unless(~is_png(encoded) | (length <= png_bytes(pixels)), TOO_MUCH_DATA),
        _too_many(encoded, is_jpeg(encoded), SCAN, MAX_SCANS, "scans"),
        _too_many(encoded, is_png(encoded), COMPRESSED_TEXT, MAX_TEXTS, "chunks of compressed text"),
    ]
    return Looked(size_2, first_of(refusals))


def first_of(refusals: Sequence[tf.Tensor]) -> tf.Tensor:
    """Returns the first non-empty text; empty if all are."""
    return functools.reduce(lambda first, other: tf.where(first == "", other, first), refusals)


def over_limit(size_2: tf.Tensor, max_pixels: int | tf.Tensor, what: str) -> tf.Tensor:
    """Returns the message for more than `max_pixels` pixels; `what` names the numbers."""
    pixels = tf.reduce_prod(tf.cast(size_2, tf.int64))
    height, width, limit = (tf.strings.as_string(number) for number in (size_2[0], size_2[1], max_pixels))
    sentence = tf.strings.join([f"{REFUSED}{what} ", height, " ", width, " are over the limit of ", limit, " pixels"])
    return tf.where(pixels <= tf.cast(max_pixels, tf.int64), "", sentence)


@traced_once(BYTES)
def fit_to_decode(encoded: tf.Tensor) -> tf.Tensor:
    """Returns the bytes of a checked image, from which the decoder makes no more pixels than its header says."""
    return tf.cond(_starts_with(encoded, _GIF), lambda: first_frame_alone(encoded), lambda: encoded)


def unless(fine: tf.Tensor, sentence: str) -> tf.Tensor:
    """Returns the message with that sentence; empty if it is `fine`."""
    return tf.where(fine, "", REFUSED + sentence)


def _too_many(encoded: tf.Tensor, concerned: tf.Tensor, part: bytes, most: int, what: str) -> tf.Tensor:
    """Returns the message for a file that is `concerned` and holds `part` more than `most` times."""
    number = tf.cond(concerned, lambda: occurrences(encoded, part), lambda: tf.constant(0))
    return unless(number <= most, f"it has more than {most} {what}")


def _is_plain_bmp(encoded: tf.Tensor) -> tf.Tensor:
    """Returns whether a BMP is uncompressed with 24 bits a pixel: TensorFlow misreads palette indices as greys.

    It also reads the older, shorter header of OS/2 as if it were the one of Windows.
    """
    header_size = integer_at(encoded, 14, 4, big_endian=False)
    bits, compression = integer_at(encoded, 28, 2, big_endian=False), integer_at(encoded, 30, 4, big_endian=False)
    return (header_size >= 40) & (bits == 24) & (compression == 0)


def _starts_with(encoded: tf.Tensor, magic: bytes) -> tf.Tensor:
    return tf.equal(tf.strings.substr(encoded, 0, len(magic)), magic)
