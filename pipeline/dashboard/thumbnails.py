"""Small pictures of image files that nobody has checked: sizes are read before pixels are decoded."""

from __future__ import annotations

import functools
import io
from pathlib import Path

import numpy as np
from PIL import Image

from common.palette import colourise
from components.example_gen.headers import open_image
from components.report.shown_predictions import thumbnail_size

MOST_BYTES = 64_000_000
MOST_PIXELS = 40_000_000
_LONGER_SIDE = 320
_MOST_INDEX = 64
"""Largest value of a grey mask that is taken for the index of a class, and drawn in the classes' colours."""


def thumbnail(path: Path, is_mask: bool) -> bytes | None:
    """Returns an image file as a small PNG; `None` if it is too large or cannot be decoded."""
    try:
        status = path.stat()
        return _thumbnail(path, is_mask, status.st_mtime_ns, status.st_size)
    except Exception:  # noqa: BLE001  # Quarantined files may be damaged in any way.
        return None


@functools.lru_cache(maxsize=256)
def _thumbnail(path: Path, is_mask: bool, _modified: int, size: int) -> bytes | None:
    if size > MOST_BYTES:
        return None
    picture = open_image(path.read_bytes(), MOST_PIXELS).decode()
    shown = thumbnail_size(picture.width, picture.height, _LONGER_SIDE)
    if is_mask:
        small = _mask_colours(picture.resize(shown, Image.Resampling.NEAREST))
    else:
        small = _eight_bits(picture).resize(shown, Image.Resampling.BOX)
    out = io.BytesIO()
    small.save(out, "PNG")
    return out.getvalue()


def _mask_colours(mask: Image.Image) -> Image.Image:
    """Draws class indices in the classes' colours, and other masks as they are."""
    if mask.mode != "L":
        return _eight_bits(mask)
    mask_HW = np.asarray(mask)
    return Image.fromarray(colourise(mask_HW)) if mask_HW.max(initial=0) < _MOST_INDEX else mask


def _eight_bits(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith(("I", "F")):
        pixels_HW = np.asarray(picture).astype(np.float64)
        low, high = float(pixels_HW.min()), float(pixels_HW.max())
        return Image.fromarray(((pixels_HW - low) * (255 / max(high - low, 1e-9))).astype(np.uint8))
    return picture.convert("RGB")
