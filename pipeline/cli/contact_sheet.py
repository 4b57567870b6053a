"""Contact sheet of images and their masks: a row per image, a column per variant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from common.palette import colourise, overlay
from common.records import VOID

_LONGER_SIDE = 128  # of an image, pixels
_MARGIN, _GAP, _SEAM = 28, 16, 2
_TITLE, _TEXT = 20, 12  # sizes of letters
_LINE = _TEXT + 8
_PAPER, _INK, _FAINT = "#ffffff", "#20242b", "#6b7380"

Pixels = npt.NDArray[np.uint8]


class MaskedImage(NamedTuple):
    """An image and its mask, of the same size."""

    image_HWC: Pixels
    mask_HW: Pixels


class Row(NamedTuple):
    """Several variants of one image, with its name."""

    name: str
    variants: Sequence[MaskedImage]


class _Layout(NamedTuple):
    """Sizes in pixels; a cell is an image and, to its right, the image under its mask."""

    cell_width: int
    cell_height: int
    columns: int
    rows: int

    @property
    def head(self) -> int:
        return _MARGIN + _TITLE + 2 * _LINE + _GAP

    @property
    def size(self) -> tuple[int, int]:
        x, y = self.place(self.columns, self.rows)
        return x - _GAP + _MARGIN, y + _LINE + _MARGIN

    def place(self, column: int, row: int) -> tuple[int, int]:
        """The upper left corner of a cell."""
        step_x, step_y = 2 * self.cell_width + _SEAM + _GAP, self.cell_height + _LINE + _GAP
        return _MARGIN + column * step_x, self.head + row * step_y


def draw_sheet(
    title: str, subtitle: str, headings: Sequence[str], rows: Sequence[Row], classes: Sequence[str]
) -> Image.Image:
    """Draws the sheet, with a legend of the classes that occur.

    All images have the same size, and each row has one for each heading.
    """
    layout = _Layout(*_cell_size(*rows[0].variants[0].mask_HW.shape), len(headings), len(rows))
    sheet = Image.new("RGB", layout.size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, _MARGIN), title, _INK, ImageFont.load_default(_TITLE))
    _write(draw, (_MARGIN, _MARGIN + _TITLE + 8), subtitle, _FAINT)
    for column, heading in enumerate(headings):
        _write(draw, (layout.place(column, 0)[0], layout.head - _LINE + 2), heading, _FAINT)
    for index, row in enumerate(rows):
        for column, masked in enumerate(row.variants):
            _draw_masked(sheet, masked, layout, layout.place(column, index))
        x, y = layout.place(0, index)
        _write(draw, (x, y + layout.cell_height + 4), _shortened(row.name, sheet.width - 2 * _MARGIN), _INK)
    _draw_legend(sheet, _legend(rows, classes), layout.place(0, len(rows))[1])
    return sheet


def _cell_size(height: int, width: int) -> tuple[int, int]:
    factor = _LONGER_SIDE / max(height, width)
    return max(1, round(width * factor)), max(1, round(height * factor))


def _draw_masked(sheet: Image.Image, masked: MaskedImage, layout: _Layout, place: tuple[int, int]) -> None:
    size = (layout.cell_width, layout.cell_height)
    image = Image.fromarray(masked.image_HWC).resize(size, Image.Resampling.LANCZOS)
    mask = Image.fromarray(masked.mask_HW).resize(size, Image.Resampling.NEAREST)
    sheet.paste(image, place)
    under_mask = overlay(np.asarray(image), np.asarray(mask))
    sheet.paste(Image.fromarray(under_mask), (place[0] + layout.cell_width + _SEAM, place[1]))


def _legend(rows: Sequence[Row], classes: Sequence[str]) -> list[tuple[int, str]]:
    """Index and name of what occurs: void, then the classes, most pixels first."""
    masks_NHW = np.stack([masked.mask_HW for row in rows for masked in row.variants])
    counts = np.bincount(masks_NHW.ravel(), minlength=VOID + 1)
    occurring = [int(index) for index in np.argsort(-counts, kind="stable") if counts[index]]
    named = [(index, classes[index]) for index in occurring if index != VOID]
    return [(VOID, "void"), *named] if counts[VOID] else named


def _draw_legend(sheet: Image.Image, legend: Sequence[tuple[int, str]], y: int) -> None:
    draw, x = ImageDraw.Draw(sheet), _MARGIN
    for position, (index, name) in enumerate(legend):
        length = round(draw.textlength(name, ImageFont.load_default(_TEXT)))
        if x + length + 8 * _TEXT > sheet.width - _MARGIN:
            _write(draw, (x, y), f"and {len(legend) - position} more", _FAINT)
            return
        swatch = colourise(np.full([_TEXT, 2 * _TEXT], index, np.uint8))
        sheet.paste(Image.fromarray(swatch), (x, y))
        _write(draw, (x + 2 * _TEXT + 6, y), name, _INK)
        x += 2 * _TEXT + 6 + length + _GAP


def _write(draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str, colour: str) -> None:
    draw.text(place, text, colour, ImageFont.load_default(_TEXT))


def _shortened(name: str, width: int) -> str:
    """Shortens a name to its last `width` characters, which distinguish files.  Pillow's own font has no ellipsis."""
    font, shown = ImageFont.load_default(_TEXT), name
    while shown and font.getlength(shown) > width:
        shown = shown[1:]
    return shown if shown == name else f"...{shown[3:]}"
