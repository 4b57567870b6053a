"""A contact sheet as one HTML page: rows of pictures with the reason why each is there, without scripts or files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from common.page_templates import page_templates
from common.palette import WRONG, hex_colour
from components.report.shown_predictions import jpeg, mask_thumbnail, thumbnail_size, wrong_shares

LONGER_SIDE = 224
_DIFFERENCE = "difference"
_TEMPLATES = Path(__file__).parent / "templates"

Mask = npt.NDArray[np.uint8]


class Thumbnail(NamedTuple):
    """A picture as a data URI."""

    label: str
    source: str
    is_mask: bool


class SheetRow(NamedTuple):
    """An image with its thumbnails."""

    rank: int
    name: str
    text: str
    thumbnails: Sequence[Thumbnail]


def sheet_row(
    rank: int,
    name: str,
    text: str,
    picture: Image.Image,
    predicted_HW: Mask,
    label_HW: Mask | None = None,
    other_HW: Mask | None = None,
) -> SheetRow:
    """Draws an image with the predicted mask, and that of another model if there is one.

    If the image is labelled, its mask and the pixels that differ are drawn too.
    """
    size = thumbnail_size(picture.width, picture.height, LONGER_SIDE)
    small = picture.resize(size, Image.Resampling.LANCZOS)
    thumbnails = [Thumbnail("image", jpeg(small), False)]
    if label_HW is not None:
        thumbnails.append(Thumbnail("mask", mask_thumbnail(label_HW, size), True))
    thumbnails.append(Thumbnail("predicted", mask_thumbnail(predicted_HW, size), True))
    if other_HW is not None:
        thumbnails.append(Thumbnail("other model", mask_thumbnail(other_HW, size), True))
    if label_HW is not None:
        thumbnails.append(Thumbnail(_DIFFERENCE, jpeg(_difference(small, label_HW, predicted_HW)), False))
    return SheetRow(rank, name, text, thumbnails)


def _difference(small: Image.Image, label_HW: Mask, predicted_HW: Mask) -> Image.Image:
    """Draws the pixels that differ in pink on the grey image; void pixels differ from nothing."""
    strength = wrong_shares(label_HW, predicted_HW, small.size)
    grey = small.convert("L").point(lambda value: round(value * 0.55) + 50).convert("RGB")
    return Image.composite(Image.new("RGB", small.size, WRONG), grey, strength)


def contact_page(
    title: str, notes: Sequence[str], rows: Sequence[SheetRow], classes: Sequence[str], warning: str = ""
) -> str:
    """Renders the page, in the order of the ranks.  Every text is untrusted and escaped; `words` become code."""
    template = page_templates(_TEMPLATES).get_template("contact_sheet.html")
    legend = [(hex_colour(index), name) for index, name in enumerate(classes)]
    ordered = sorted(rows, key=lambda row: row.rank)
    is_labelled = any(each.label == _DIFFERENCE for row in ordered for each in row.thumbnails)
    texts = {"title": title, "notes": notes, "warning": warning}
    return template.render(**texts, rows=ordered, legend=legend, is_labelled=is_labelled).lstrip()
