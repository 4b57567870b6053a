"""A contact sheet as one HTML page: rows of pictures with the reason why each is there, without scripts or files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from common.page_templates import page_templates
from common.palette import hex_colour
from components.report.shown_predictions import jpeg, mask_thumbnail, thumbnail_size, wrong_pixels

LONGER_SIDE = 224
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
    rank: int, name: str, text: str, picture: Image.Image, predicted_HW: Mask, label_HW: Mask | None = None
) -> SheetRow:
    """Draws an image with the predicted mask; if it is labelled, also with its mask and the pixels that differ."""
    size = thumbnail_size(picture.width, picture.height, LONGER_SIDE)
    thumbnails = [Thumbnail("image", jpeg(picture.resize(size, Image.Resampling.LANCZOS)), False)]
    if label_HW is not None:
        thumbnails.append(Thumbnail("mask", mask_thumbnail(label_HW, size), True))
    thumbnails.append(Thumbnail("predicted", mask_thumbnail(predicted_HW, size), True))
    if label_HW is not None:
        thumbnails.append(Thumbnail("differs", wrong_pixels(label_HW, predicted_HW, size), True))
    return SheetRow(rank, name, text, thumbnails)


def contact_page(title: str, notes: Sequence[str], rows: Sequence[SheetRow], classes: Sequence[str]) -> str:
    """Renders the page, in the order of the ranks.  Every text is untrusted and escaped."""
    template = page_templates(_TEMPLATES).get_template("contact_sheet.html")
    legend = [(hex_colour(index), name) for index, name in enumerate(classes)]
    ordered = sorted(rows, key=lambda row: row.rank)
    return template.render(title=title, notes=notes, rows=ordered, legend=legend).lstrip()
