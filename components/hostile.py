"""What makes a decoder work for minutes although the header tells a small picture.

Ingestion and the served model refuse the same files: both decode with libjpeg and libpng, which count neither.
"""

from __future__ import annotations

SCAN = b"\xff\xda\0"
"""How each scan of a JPEG begins: SOS and the high byte of its length, which is 0 (ISO/IEC 10918-1, B.2.3)."""

MAX_SCANS = 100
"""Encoders write about ten.  Each goes over all pixels, and one that says nothing takes ten bytes."""

COMPRESSED_TEXT = b"TXt"
"""The end of the names of the PNG chunks zTXt and iTXt (RFC 2083, 4.2.3), and of no other known one."""

MAX_TEXTS = 16
"""libpng inflates each, to 8 MB at most (`PNG_USER_CHUNK_MALLOC_MAX`): 50 ms of work for a chunk of 8 KB."""


def excess(data: bytes, kind: str) -> str | None:
    """Why a file of the format `kind`, "jpeg" or "png", must not be decoded; None where it may."""
    if kind == "jpeg" and data.count(SCAN) > MAX_SCANS:
        return f"the jpeg file has more than {MAX_SCANS} scans"
    if kind == "png" and data.count(COMPRESSED_TEXT) > MAX_TEXTS:
        return f"the png file has more than {MAX_TEXTS} chunks of compressed text"
    return None
