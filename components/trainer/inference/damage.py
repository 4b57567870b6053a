"""Detection of damaged files in the graph, before a pixel is decoded.

TensorFlow's decoders report "Invalid PNG data, size 57493", or less, for a truncated upload.  They would also
reject what is rejected here: nothing that they can decode is rejected.
"""

from __future__ import annotations

import tensorflow as tf

from common.decompression_bomb import REFUSED
from common.traced_once import BYTES, traced_once
from components.trainer.inference.header import first_of, is_jpeg, is_png
from components.trainer.inference.raw import bytes_at, integer_at, occurrences

_CUT_OFF = "as after an upload that broke off"
_CONVERT = "convert it to JPEG or PNG"
_EOI, _SOS = 0xFFD9, 0xFFDA
_MAX_SEGMENTS = 256
_IN_HEADER, _UNKNOWN = -1, -2

_OTHER_KINDS = (
    (0, b"<", "it is HTML, XML or SVG text, not the bytes of an image file"),
    (0, b"II*\0", f"it is a TIFF file: {_CONVERT}"),
    (0, b"MM\0*", f"it is a TIFF file: {_CONVERT}"),
    (8, b"WEBP", f"it is a WebP file: {_CONVERT}"),
    (4, b"ftypavif", f"it is an AVIF file: {_CONVERT}"),
    (4, b"ftyphe", f"it is a HEIC file: {_CONVERT}"),
    (4, b"ftypmif1", f"it is a HEIF file: {_CONVERT}"),
    (0, b"\xff\x0a", f"it is a JPEG XL file: {_CONVERT}"),
    (0, b"%PDF", f"it is a PDF file: {_CONVERT}"),
    (0, b"data:", "it is the text of a data URI: send the bytes that its base64 stands for"),
    (0, b"/9j/", "it is base64 text: send the bytes that it stands for"),
    (0, b"iVBORw0KGgo", "it is base64 text: send the bytes that it stands for"),
    (0, b"version https://git-lfs", "it is a pointer of Git LFS: fetch the file itself with `git lfs pull`"),
)


@traced_once(BYTES)
def damage(encoded: tf.Tensor) -> tf.Tensor:
    """Returns why the file is not a complete image: a sentence, string []; empty if no damage is found."""
    found = tf.case(
        [
            (is_jpeg(encoded), lambda: _damage_of_jpeg(encoded)),
            (is_png(encoded), lambda: _damage_of_png(encoded)),
            (_is_bmp(encoded), lambda: _damage_of_bmp(encoded)),
        ],
        default=lambda: _other_kind(encoded),
    )
    return tf.where(found == "", "", tf.strings.join([REFUSED, found]))


def undecodable(encoded: tf.Tensor) -> tf.Tensor:
    """Returns the message for a file that its decoder cannot read although `damage` finds nothing, string []."""
    kind = tf.case(
        [
            (is_jpeg(encoded), lambda: tf.constant("JPEG")),
            (is_png(encoded), lambda: tf.constant("PNG")),
            (_is_bmp(encoded), lambda: tf.constant("BMP")),
        ],
        default=lambda: tf.constant("GIF"),
    )
    return tf.strings.join([f"{REFUSED}the ", kind, " data is damaged or ends early"])


def _damage_of_jpeg(encoded: tf.Tensor) -> tf.Tensor:
    """A JPEG is complete only if an end marker follows its first scan (ISO/IEC 10918-1, B.1.1.3).

    Previews have their own markers.  Most files end with the marker, and need no further check.
    """
    ends_well = integer_at(encoded, tf.strings.length(encoded) - 2, 2, big_endian=True) == _EOI
    return tf.cond(ends_well, lambda: tf.constant(""), lambda: _missing_end(encoded))


def _missing_end(encoded: tf.Tensor) -> tf.Tensor:
    scan = _first_scan(encoded)
    pixels = bytes_at(encoded, scan, tf.strings.length(encoded))
    return tf.case(
        [
            (scan == _IN_HEADER, lambda: tf.constant(f"the JPEG file ends early, in its header, {_CUT_OFF}")),
            (scan == _UNKNOWN, lambda: tf.constant("")),
            (occurrences(pixels, b"\xff\xd9") > 0, lambda: tf.constant("")),
        ],
        default=lambda: tf.constant(f"the JPEG file ends early: its end marker is missing, {_CUT_OFF}"),
    )


def _first_scan(encoded: tf.Tensor) -> tf.Tensor:
    """Offset of the first SOS marker; `_IN_HEADER` if the file ends before it, `_UNKNOWN` if that is unclear."""
    end = tf.strings.length(encoded)

    def go_on(offset: tf.Tensor, found: tf.Tensor, segments: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        marker = integer_at(encoded, offset, 2, big_endian=True)
        length = integer_at(encoded, offset + 2, 2, big_endian=True)
        alone = (marker == 0xFF01) | ((marker >= 0xFFD0) & (marker <= 0xFFD8))
        step = tf.where(marker == 0xFFFF, 1, tf.where(alone, 2, 2 + length))
        is_no_marker = (offset + 2 <= end) & (marker < 0xFF01)
        here = tf.where(marker == _SOS, offset, tf.where(is_no_marker | (marker == _EOI), _UNKNOWN, _IN_HEADER))
        return tf.minimum(offset + step, end), here, segments + 1

    offset, found, _ = tf.while_loop(
        lambda offset, found, segments: (offset < end) & (found == _IN_HEADER) & (segments < _MAX_SEGMENTS),
        go_on,
        (tf.constant(2), tf.constant(_IN_HEADER), tf.constant(0)),
    )
    return tf.where((found == _IN_HEADER) & (offset < end), _UNKNOWN, found)


def _damage_of_png(encoded: tf.Tensor) -> tf.Tensor:
    """libpng reads a PNG to the checksum of its chunk IEND (RFC 2083, 4.1.4)."""
    end = tf.strings.length(encoded)
    ends_well = bytes_at(encoded, end - 8, 4) == b"IEND"
    is_there = tf.cond(
        ends_well,
        lambda: tf.constant(True),
        lambda: occurrences(bytes_at(encoded, 0, tf.maximum(end - 4, 0)), b"IEND") > 0,
    )
    return tf.where(is_there, "", f"the PNG file ends early: its last chunk, IEND, is missing, {_CUT_OFF}")


def _damage_of_bmp(encoded: tf.Tensor) -> tf.Tensor:
    """An uncompressed 24-bit BMP has the size that its header implies; rows are padded to four bytes."""
    bits, compression = integer_at(encoded, 28, 2, big_endian=False), integer_at(encoded, 30, 4, big_endian=False)
    start, width, height = (
        tf.cast(integer_at(encoded, offset, 4, big_endian=False), tf.int64) for offset in (10, 18, 22)
    )
    needed = start + (3 * width + 3) // 4 * 4 * tf.abs(height)
    is_plain = (bits == 24) & (compression == 0) & (width > 0)
    length = tf.strings.length(encoded)
    is_short = (length < 34) | (is_plain & (tf.cast(length, tf.int64) < needed))
    return tf.where(is_short, f"the BMP file ends early: it is shorter than its header says, {_CUT_OFF}", "")


def _other_kind(encoded: tf.Tensor) -> tf.Tensor:
    """Describes a file of another known kind; a GIF is checked by the code that reads its frames."""
    told = [
        tf.where(bytes_at(encoded, offset, len(magic)) == magic, sentence, "")
        for offset, magic, sentence in _OTHER_KINDS
    ]
    return first_of([tf.where(tf.strings.length(encoded) == 0, "it is empty: 0 bytes", ""), *told])


def _is_bmp(encoded: tf.Tensor) -> tf.Tensor:
    return bytes_at(encoded, 0, 2) == b"BM"
