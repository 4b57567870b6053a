"""Counts the images in a file without decoding them: pages of a TIFF, frames of a GIF, PNG or WebP.

A JPEG counts as one: viewers do not show what phones and cameras append to it (MPF, a gain map, a video).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from common.decompression_bomb import PNG_START
from components.example_gen.gif import frames_of
from components.example_gen.quarantine import Reason
from components.example_gen.rejection import RejectionError
from components.example_gen.tiff import MAX_DIRECTORIES, TiffFile

_NAMES = {"tiff": "pages"}
_FIRST_WEBP_CHUNK = 12
_COUNTERS = {
    "gif": lambda data: frames_of(data).count,
    "png": lambda data: _frames_of_png(data),
    "webp": lambda data: _frames_of_webp(data),
    "tiff": lambda data: TiffFile(data).images(),
}


def check_single(data: bytes, kind: str) -> None:
    """Raises `RejectionError` if a file of format `kind` has more than one image, or its list of images is damaged."""
    counter = _COUNTERS.get(kind)
    if counter is None:
        return
    try:
        images = counter(data)
    except ValueError as error:
        raise RejectionError(Reason.UNREADABLE, str(error)) from error
    if images > 1:
        name = _NAMES.get(kind, "frames")
        number = f"at least {images}" if images >= MAX_DIRECTORIES and kind == "tiff" else str(images)
        raise RejectionError(
            Reason.SEVERAL_IMAGES,
            f"holds {number} {name}; only one can be used",
            cause=f"the {kind} file holds several {name}; only one can be used",
            remedy=f"write the one that is meant to a file of its own, and take the file with several {name} away",
        )


def webp_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of the chunks of a WebP file (RFC 9649, sections 2.3 and 2.7)."""
    place = _FIRST_WEBP_CHUNK
    while place + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, place)
        yield name, data[place + 8 : place + 8 + length]
        place += 8 + length + length % 2


def _frames_of_webp(data: bytes) -> int:
    return max(1, sum(name == b"ANMF" for name, _ in webp_chunks(data)))


def _frames_of_png(data: bytes) -> int:
    """Frames of an animation (PNG, third edition, 11.3.6), and the still image if it is not one of them."""
    frames, still = 0, True
    for name, content in _png_chunks(data):
        if name == b"IDAT":
            break
        if name == b"acTL" and len(content) == 8:
            [frames] = struct.unpack_from(">I", content)
        still = still and name != b"fcTL"
    return frames + still if frames else 1


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = len(PNG_START)
    while place + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, place)
        yield name, data[place + 8 : place + 8 + min(length, 8)]
        place += 12 + length
