"""Decompression bombs: detects images that are small by their header but very expensive to decode.

Ingestion and the served model reject the same files: both decode with libjpeg and libpng, which set no such limits.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

REFUSED = "picture refused: "
"""Prefix of every rejection by the served model."""

SCAN = b"\xff\xda\0"
"""First bytes of each scan of a JPEG: SOS and the high byte of its length, which is 0 (ISO/IEC 10918-1, B.2.3)."""

MAX_SCANS = 100
"""Encoders write about ten.  Each scan visits all pixels, and an empty one takes only ten bytes."""

PNG_START = b"\x89PNG\r\n\x1a\n"

COMPRESSED_TEXT = b"TXt"
"""The end of the names of the PNG chunks zTXt and iTXt (RFC 2083, 4.2.3), and of no other known one."""

MAX_TEXTS = 16
"""libpng inflates each, to 8 MB at most (`PNG_USER_CHUNK_MALLOC_MAX`): 50 ms of work for a chunk of 8 KB."""

PNG_PIXEL_BYTES = 9
"""Most bytes of a PNG's pixel before compression: four channels of 16 bits, and a filter byte (RFC 2083, 6)."""

PNG_OTHER_BYTES = 1 << 20
"""Bytes that a PNG may hold besides its pixels: texts, profiles, a preview.

A byte inflates to a thousand, and libpng inflates what follows the last pixel to its end, only to throw it away.
"""

TOO_MUCH_DATA = "it holds more data than its pixels can take"
"""Message of the served model for such a PNG, and of the server for one that only the server detects."""

_IHDR_END = 33
_SMALL = 1 << 17
_MOST_PIXELS = 25_000_000
_PIECE = 1 << 10


def excess(data: bytes, kind: str, pixels: int) -> str | None:
    """Returns why a file of the format `kind`, "jpeg" or "png", must not be decoded; None if it may be.

    `pixels` is their number by the header.
    """
    if kind == "jpeg" and data.count(SCAN) > MAX_SCANS:
        return f"the jpeg file has more than {MAX_SCANS} scans"
    if kind == "png" and data.count(COMPRESSED_TEXT) > MAX_TEXTS:
        return f"the png file has more than {MAX_TEXTS} chunks of compressed text"
    if kind == "png" and (len(data) > png_bytes(pixels) or inflates_too_far(data, pixels)):
        return f"the png file holds more data than its {pixels} pixels can take"
    return None


def png_bytes(pixels: int) -> int:
    """Returns the most bytes that a PNG of so many pixels needs, compressed or not."""
    return PNG_PIXEL_BYTES * pixels + PNG_OTHER_BYTES


def inflates_too_far(png: bytes, pixels: int) -> bool:
    """Returns whether a PNG's pixel data inflates to more than its pixels need, without keeping the inflated data.

    Small files are not checked: a decoder takes at most a quarter of a second for them, whatever they hold.  Nor
    are those whose header claims more than 25 megapixels, because checking them would take as long as decoding.
    """
    if len(png) <= _SMALL or pixels > _MOST_PIXELS:
        return False
    inflater, left = zlib.decompressobj(), png_bytes(pixels)
    try:
        for piece in _pixel_data(png):
            left -= len(inflater.decompress(piece))
            if left < 0 or inflater.eof:
                break
    except zlib.error:  # The decoder will report it.
        return False
    return left < 0


def forged_size_png(side: int) -> bytes:
    """Returns a PNG of some hundred bytes whose header claims `side`² pixels but holds no data (RFC 2083, 3.2)."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(3 * 64))), (b"IEND", b""))
    return PNG_START + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _pixel_data(png: bytes) -> Iterator[bytes]:
    """Yields the contents of the IDAT chunks that are present, in pieces that inflate to at most a megabyte."""
    place = _IHDR_END
    while place + 8 <= len(png):
        end = place + 8 + int.from_bytes(png[place : place + 4], "big")
        if png[place + 4 : place + 8] == b"IDAT":
            for start in range(place + 8, min(end, len(png)), _PIECE):
                yield png[start : min(start + _PIECE, end)]
        place = end + 4
