"""The contact sheet: which pictures a row has, and what the page says about them."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from common.records import VOID
from pipeline.labelling.contact_page import SheetRow, contact_page, sheet_row

GREY = Image.new("RGB", (40, 20), (128, 128, 128))
EMPTY_HW = np.zeros([20, 40], np.uint8)


def labels(row: SheetRow) -> Sequence[str]:
    return [each.label for each in row.thumbnails]


def pixels(row: SheetRow, label: str) -> np.ndarray:
    [source] = [each.source for each in row.thumbnails if each.label == label]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))).convert("RGB"), np.int32)


def test_a_row_has_the_masks_that_there_are() -> None:
    assert labels(sheet_row(1, "a", "", GREY, EMPTY_HW)) == ["image", "predicted"]
    assert labels(sheet_row(1, "a", "", GREY, EMPTY_HW, other_HW=EMPTY_HW)) == ["image", "predicted", "other model"]
    assert labels(sheet_row(1, "a", "", GREY, EMPTY_HW, EMPTY_HW)) == ["image", "mask", "predicted", "difference"]


def test_pixels_that_differ_are_pink_on_the_grey_image_and_void_ones_are_not() -> None:
    label_HW = EMPTY_HW.copy()
    label_HW[:, :10], label_HW[:, 30:] = 1, VOID
    drawn = pixels(sheet_row(1, "a", "", GREY, EMPTY_HW, label_HW), "difference")
    redder_HW = drawn[..., 0] - drawn[..., 1] > 80
    assert redder_HW[:, :8].all()
    assert not redder_HW[:, 12:].any()


def test_a_label_of_another_size_than_the_prediction_is_compared_too() -> None:
    small_HW = np.zeros([10, 20], np.uint8)
    assert "difference" in labels(sheet_row(1, "a", "", GREY, small_HW, EMPTY_HW))


def test_the_page_escapes_texts_marks_commands_and_explains_the_colours() -> None:
    rows = [sheet_row(1, "<b>", "why", GREY, EMPTY_HW, EMPTY_HW)]
    page = contact_page("Masks", ["2 pairs"], rows, ("ground",), "seen; `segpipe crossval` helps")
    assert "&lt;b&gt;" in page and "<b>" not in page
    assert '<p class="warn">⚠ seen; <code>segpipe crossval</code> helps</p>' in page
    assert "are pink" in page
    assert "are pink" not in contact_page("Images", [], [sheet_row(1, "a", "", GREY, EMPTY_HW)], ("ground",))
