"""Pictures of an image, its truth and two predictions, as data URIs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from common import palette
from components.report.shown_predictions import jpeg, mask_thumbnail, read_indices, read_rgb, thumbnail_size
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
    picture = read_rgb(image)
    size = thumbnail_size(picture.width, picture.height, LONGER_SIDE)
    truth_HW, a_HW, b_HW = map(read_indices, (truth, a, b))
    small = picture.resize(size, Image.Resampling.LANCZOS)
    return ComparedImage(
        id=judged.id,
        places=judged.places,
        a_right=accuracy(judged.a_CC),
        b_right=accuracy(judged.b_CC),
        image=jpeg(small),
        truth=mask_thumbnail(truth_HW, size),
        a=mask_thumbnail(a_HW, size),
        b=mask_thumbnail(b_HW, size),
        change=jpeg(_change(small, truth_HW, a_HW, b_HW)),
    )


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
