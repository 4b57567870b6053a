"""How an image file says that it must be turned, read as the server reads it; plain Python, to be copied along.

Exif data (a TIFF file of its own) in a JPEG's APP1 segment before the scan, or in a PNG's eXIf chunk before the pixels:
the tag counts if it is a SHORT, alone, and 1 to 8, in the first directory.  Pillow also obeys XMP, text chunks, Exif
data behind the pixels and numbers of other types, which neither the server nor Chromium does.
"""

from __future__ import annotations

import struct

from PIL import Image

_ORIENTATION_TAG, _SHORT = 0x0112, 3
_MAX_PARTS, _MAX_ENTRIES = 64, 256
_APP1, _SOS, _EOI, _FILL = 0xFFE1, 0xFFDA, 0xFFD9, 0xFFFF
_EXIF = b"Exif\0\0"
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def turned(image: Image.Image, orientation: int) -> Image.Image:
    """`image`, stored with `orientation`, made upright."""
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


def orientation_of(data: bytes) -> int:
    """The orientation, 1 to 8, of a JPEG or PNG file's bytes; 1, upright, for any other."""
    if data.startswith(b"\xff\xd8\xff"):
        return orientation_in_exif(_exif_in_jpeg(data))
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return orientation_in_exif(_exif_in_png(data))
    return 1


def orientation_in_exif(exif: bytes) -> int:
    """The orientation in the first directory of Exif data, which begins with its TIFF header."""
    order = {b"MM\0*": ">", b"II*\0": "<"}.get(exif[:4])
    if order is None or len(exif) < 8:
        return 1
    [place] = struct.unpack_from(order + "I", exif, 4)
    if not 8 <= place <= len(exif) - 2:
        return 1
    [entries] = struct.unpack_from(order + "H", exif, place)
    raw = exif[place + 2 : place + 2 + 12 * min(entries, _MAX_ENTRIES)]
    for tag, kind, count, value in struct.iter_unpack(order + "HHIH2x", raw[: len(raw) // 12 * 12]):
        if (tag, kind, count) == (_ORIENTATION_TAG, _SHORT, 1) and 1 <= value <= 8:
            return int(value)
    return 1


def _exif_in_jpeg(data: bytes) -> bytes:
    place = 2
    for _ in range(_MAX_PARTS):
        marker, length = _number(data, place, 2), _number(data, place + 2, 2)
        if marker == _FILL:
            place += 1
            continue
        if marker <= 0xFF00 or marker in (_SOS, _EOI) or length < 2:
            break
        if marker == _APP1 and data[place + 4 : place + 10] == _EXIF:
            return data[place + 10 : place + 2 + length]
        place += 2 + length
    return b""


def _exif_in_png(data: bytes) -> bytes:
    place = 8
    for _ in range(_MAX_PARTS):
        length, kind = _number(data, place, 4), data[place + 4 : place + 8]
        if kind == b"IDAT" or len(kind) < 4 or length >= 1 << 31:
            break
        if kind == b"eXIf":
            return data[place + 8 : place + 8 + length]
        place += 12 + length
    return b""


def _number(data: bytes, place: int, length: int) -> int:
    """The unsigned big-endian number at `place`; 0 where the data ends before it does."""
    raw = data[place : place + length]
    return int.from_bytes(raw, "big") if len(raw) == length else 0
