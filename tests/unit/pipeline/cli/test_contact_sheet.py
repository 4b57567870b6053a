"""A sheet of pictures beside their masks."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from common.palette import class_colours, overlay
from common.records import VOID
from pipeline.cli.contact_sheet import MaskedImage, Row, draw_sheet

CLASSES = ("background", "thing", "other")
LEFT, PAPER = 28, 255


def seen(label: int, height: int = 128, width: int = 128, grey: int = 90) -> MaskedImage:
    return MaskedImage(np.full([height, width, 3], grey, np.uint8), np.full([height, width], label, np.uint8))


def sheet_of(*rows: Row, classes: tuple[str, ...] = CLASSES) -> np.ndarray:
    headings = [f"way {index}" for index in range(len(rows[0].variants))]
    return np.asarray(draw_sheet("title", "subtitle", headings, rows, classes))


def find(sheet_HWC: np.ndarray, colour: object) -> np.ndarray:
    return (sheet_HWC == np.asarray(colour)).all(axis=-1)


def test_each_picture_stands_beside_itself_under_its_mask() -> None:
    one = seen(1)
    sheet = sheet_of(Row("a", [one, one]), Row("b", [one, one]))
    under_mask = overlay(one.image_HWC, one.mask_HW)[0, 0]
    for colour in ((90, 90, 90), under_mask):
        assert find(sheet, colour).sum() == pytest.approx(4 * 128 * 128, abs=50)  # Letters may have that grey too.
    columns = [int(np.flatnonzero(find(sheet, colour).any(axis=0))[0]) for colour in ((90, 90, 90), under_mask)]
    assert columns == [LEFT, LEFT + 128 + 2]


@pytest.mark.parametrize(
    ("height", "width", "shown"), [(64, 128, (64, 128)), (300, 150, (128, 64)), (32, 32, (128, 128))]
)
def test_pictures_keep_their_aspect(height: int, width: int, shown: tuple[int, int]) -> None:
    inside = find(sheet_of(Row("a", [seen(0, height, width, 77)])), (77, 77, 77))
    block = inside[:, LEFT : LEFT + shown[1]].all(axis=1).sum(), inside[:, : LEFT + shown[1]].any(axis=0).sum()
    assert block == shown


def test_the_legend_shows_what_occurs_and_nothing_else() -> None:
    sheet = sheet_of(Row("a", [seen(2), seen(VOID)]))
    background, thing, other = (find(sheet, colour).any() for colour in class_colours(3))
    assert (background, thing, other) == (False, False, True)
    assert find(sheet, (176, 176, 176)).any()


def test_long_names_and_many_classes_do_not_widen_the_sheet() -> None:
    stripes = MaskedImage(
        np.zeros([200, 128, 3], np.uint8), np.repeat(np.arange(200, dtype=np.uint8)[:, None], 128, axis=1)
    )
    short = sheet_of(Row("a", [seen(0, 200)]))
    long = sheet_of(Row("a" * 500, [stripes]), classes=tuple(f"a long name {index}" for index in range(200)))
    assert short.shape == long.shape
    assert (long[:, -20:] == PAPER).all()


def test_names_that_the_font_does_not_know_are_no_error() -> None:
    assert isinstance(draw_sheet("標題", "", ["×"], [Row("画像", [seen(0)])], ("背景",)), Image.Image)
