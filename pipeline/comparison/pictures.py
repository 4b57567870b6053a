"""Pictures of an image, its truth and two predictions, as data URIs."""

from __future__ import annotations

import base64
import io
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from common import palette
from pipeline.comparison.paired import JudgedImage, accuracy

LONGER_SIDE = 224
_BETTER, _WORSE = (20, 150, 90), palette.WRONG


class ComparedImage(NamedTuple):
    """An image that the models differ on."""

    id: str
    places: tuple[str, ...]
    a_right: float
    """Share of the pixels that side a has right."""
    b_right: float
    image: str
    truth: str
    a: str
    b: str
    change: str
    """The image in grey, with pixels that only side b has right in green, and those that only side a has in pink."""


def compared_image(judged: JudgedImage, image: bytes, truth: bytes, a: bytes, b: bytes) -> ComparedImage:
    """Draws one image from the encoded image, mask and predictions."""
    picture = Image.open(io.BytesIO(image)).convert("RGB")
    size = _size(picture)
    truth_HW, a_HW, b_HW = (np.asarray(Image.open(io.BytesIO(mask)), np.uint8) for mask in (truth, a, b))
    small = picture.resize(size, Image.Resampling.LANCZOS)
    return ComparedImage(
        id=judged.id,
        places=judged.places,
        a_right=accuracy(judged.a_CC),
        b_right=accuracy(judged.b_CC),
        image=_uri(small, "JPEG"),
        truth=_uri(_mask(truth_HW, size), "PNG"),
        a=_uri(_mask(a_HW, size), "PNG"),
        b=_uri(_mask(b_HW, size), "PNG"),
        change=_uri(_change(small, truth_HW, a_HW, b_HW), "JPEG"),
    )


def _size(picture: Image.Image) -> tuple[int, int]:
    factor = min(1.0, LONGER_SIDE / max(picture.size))
    return max(1, round(picture.width * factor)), max(1, round(picture.height * factor))


def _mask(mask_HW: npt.NDArray[np.uint8], size: tuple[int, int]) -> Image.Image:
    small = Image.fromarray(mask_HW).resize(size, Image.Resampling.NEAREST)
    return Image.fromarray(palette.colourise(np.asarray(small)))


def _change(
    small: Image.Image, truth_HW: npt.NDArray[np.uint8], a_HW: npt.NDArray[np.uint8], b_HW: npt.NDArray[np.uint8]
) -> Image.Image:
    drawn = small.convert("L").point(lambda value: round(value * 0.55) + 50).convert("RGB")
    for colour, only_HW in (
        (_BETTER, (b_HW == truth_HW) & (a_HW != truth_HW)),
        (_WORSE, (a_HW == truth_HW) & (b_HW != truth_HW)),
    ):
        strength = Image.fromarray(only_HW.astype(np.uint8) * 255).resize(small.size, Image.Resampling.BOX)
        drawn = Image.composite(Image.new("RGB", small.size, colour), drawn, strength)
    return drawn


def _uri(picture: Image.Image, kind: str) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, kind, optimize=True)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
