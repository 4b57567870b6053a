"""The frames of a GIF file (GIF89a, sections 17 to 27): how many there are, and the image that the first one makes.

TensorFlow decodes a frame as the whole image.  Here, as in the served graph (`components.trainer.inference.gif`) and in
every viewer, the image is the logical screen, made larger where the first frame reaches beyond it; what the frame
leaves free is black, like its transparent pixels.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_EXTENSION, _IMAGE = 0x21, 0x2C
_SCREEN_BYTES, _IMAGE_BYTES = 13, 10

MAX_BLOCKS = 1_000_000
"""Most data blocks that are skipped in search of frames: 255 MB as encoders write them."""


@dataclass(frozen=True)
class GifFrames:
    """The frames of a GIF file that were found."""

    count: int
    start: int
    """Offset of the first frame's descriptor."""
    end: int
    """Offset after the first frame's data."""


def frames_of(data: bytes) -> GifFrames:
    """Finds the frames of a GIF file's bytes without decoding them; one that is cut off counts too.

    Raises:
        ValueError: the file has too many blocks, or no frame.
    """
    place, blocks, found = _SCREEN_BYTES + _colour_table(data, 10), 0, []
    while place < len(data) and data[place] in (_EXTENSION, _IMAGE):
        start = place
        is_frame = data[place] == _IMAGE
        place += _IMAGE_BYTES + _colour_table(data, place + 9) + 1 if is_frame else 2
        while place < len(data) and (length := data[place]):
            place, blocks = place + 1 + length, blocks + 1
            if blocks > MAX_BLOCKS:
                raise ValueError(f"the gif file has more than {MAX_BLOCKS} blocks of data")
        place += 1
        if is_frame:
            found.append((start, place))
    if not found:
        raise ValueError("the gif file has no frame")
    return GifFrames(len(found), *found[0])


def frame_in_corner(data: bytes, frames: GifFrames) -> bytes:
    """Returns a GIF of only the first frame, moved to the screen's corner, where TensorFlow decodes all of it."""
    return data[: frames.start + 1] + bytes(4) + data[frames.start + 5 : frames.end] + b";"


def on_screen(frame_HWC: npt.NDArray[np.uint8], data: bytes, frames: GifFrames) -> npt.NDArray[np.uint8]:
    """The image: the decoded first frame at its place on the screen."""
    width, height = struct.unpack_from("<HH", data, 6)
    left, top = struct.unpack_from("<HH", data, frames.start + 1)
    below, right = (max(0, side) for side in (height - top - frame_HWC.shape[0], width - left - frame_HWC.shape[1]))
    return np.pad(frame_HWC, ((top, below), (left, right), (0, 0)))


def _colour_table(data: bytes, flags_at: int) -> int:
    """Bytes of the colour table that the packed flags at an offset announce."""
    flags = data[flags_at] if flags_at < len(data) else 0
    return 3 * (2 << (flags & 7)) if flags & 0x80 else 0
