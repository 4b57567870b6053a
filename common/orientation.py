"""Exif orientation of an image file, read where the standards place it.

Exif data is a TIFF file of its own (Exif 2.32, 4.5.2 and 4.6.4; TIFF 6.0, section 2): in a JPEG's APP1 segment before
the scan, or in a PNG's eXIf chunk before the pixels.  The tag counts if it is a SHORT, alone, and 1 to 8, in the first
directory; anything else is ignored, and the image stays as it is stored.  XMP, profiles in text chunks, and Exif data
behind the pixels are not read: neither does Chromium.

The served graph reads the same in TensorFlow (`components.trainer.inference.orientation`), a client in
`segpipe_client.orientation`; tests compare the three.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from common.decompression_bomb import PNG_START

UPRIGHT = 1
ORIENTATION_TAG = 0x0112
SHORT = 3
HIGHEST = 8

MAX_PARTS = 64
"""Most segments, fill bytes or chunks that are searched; Exif data is among the first."""

MAX_ENTRIES = 256
"""Most entries of a directory that are searched."""

FIRST_DIRECTORY = 8
"""The smallest offset of a directory, which follows the TIFF header."""

EXIF = b"Exif\0\0"
"""First bytes of an APP1 segment with Exif data."""

_JPEG_START = b"\xff\xd8\xff"
_APP1, _SOS, _EOI, _FILL = 0xFFE1, 0xFFDA, 0xFFD9, 0xFFFF
_BYTE_ORDERS = {b"MM\0*": ">", b"II*\0": "<"}


def orientation(data: bytes) -> int:
    """Returns the orientation, 1 to 8, of a JPEG or PNG file's bytes; 1 (upright) for any other."""
    if data.startswith(_JPEG_START):
        return orientation_in_tiff(_exif_in_jpeg(data))
    if data.startswith(PNG_START):
        return orientation_in_tiff(_exif_in_png(data))
    return UPRIGHT


def orientation_in_tiff(tiff: bytes) -> int:
    """Returns the orientation in the first directory of Exif data, which starts with its TIFF header."""
    order = _BYTE_ORDERS.get(tiff[:4])
    if order is None or len(tiff) < FIRST_DIRECTORY:
        return UPRIGHT
    [place] = struct.unpack_from(order + "I", tiff, 4)
    if not FIRST_DIRECTORY <= place <= len(tiff) - 2:
        return UPRIGHT
    [entries] = struct.unpack_from(order + "H", tiff, place)
    raw = tiff[place + 2 : place + 2 + 12 * min(entries, MAX_ENTRIES)]
    return first_orientation(struct.iter_unpack(order + "HHIH2x", raw[: len(raw) // 12 * 12]))


def first_orientation(entries: Iterable[tuple[int, int, int, int]]) -> int:
    """The first valid orientation among a directory's entries (tag, type, count, value)."""
    for tag, kind, count, value in entries:
        if (tag, kind, count) == (ORIENTATION_TAG, SHORT, 1) and UPRIGHT <= value <= HIGHEST:
            return value
    return UPRIGHT


def _exif_in_jpeg(data: bytes) -> bytes:
    """Returns the first APP1 segment with Exif data before the scan (ISO/IEC 10918-1, B.1.1), or empty."""
    place = 2
    for _ in range(MAX_PARTS):
        marker, length = _big_endian(data, place, 2), _big_endian(data, place + 2, 2)
        if marker == _FILL:  # A marker may be preceded by any number of fill bytes.
            place += 1
            continue
        if marker <= 0xFF00 or marker in (_SOS, _EOI) or length < 2:
            break
        if marker == _APP1 and data[place + 4 : place + 10] == EXIF:
            return data[place + 10 : place + 2 + length]
        place += 2 + length
    return b""


def _exif_in_png(data: bytes) -> bytes:
    """Returns the content of the first eXIf chunk before the pixels (PNG, third edition, 11.3.4.4), or empty."""
    place = len(PNG_START)
    for _ in range(MAX_PARTS):
        length, kind = _big_endian(data, place, 4), data[place + 4 : place + 8]
        if kind == b"IDAT" or len(kind) < 4 or length >= 1 << 31:
            break
        if kind == b"eXIf":
            return data[place + 8 : place + 8 + length]
        place += 12 + length
    return b""


def _big_endian(data: bytes, place: int, length: int) -> int:
    """Returns the unsigned integer at `place`; 0 if the data is too short."""
    raw = data[place : place + length]
    return int.from_bytes(raw, "big") if len(raw) == length else 0
