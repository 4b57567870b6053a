"""Boundary IoU, held against its definition pixel by pixel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from common.records import VOID
from components.evaluator.families.boundary import BoundaryFamily, boundary, boundary_pixels
from components.evaluator.families.config import Boundary

CLASSES = ("ground", "roof")
MASKS = arrays.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))


def by_definition(mask_HW: npt.NDArray[np.bool_], pixels: int) -> npt.NDArray[np.bool_]:
    """Each pixel of the mask whose square neighbourhood has one that is not of it; outside the image nothing is."""
    padded = np.pad(mask_HW, pixels)
    side = 2 * pixels + 1
    found = np.zeros_like(mask_HW)
    for row, column in np.argwhere(mask_HW):
        found[row, column] = not padded[row : row + side, column : column + side].all()
    return found


@settings(deadline=None)
@given(MASKS, st.integers(1, 3))
def test_the_boundary_is_what_lies_near_another_class(mask_HW: npt.NDArray[np.bool_], pixels: int) -> None:
    np.testing.assert_array_equal(boundary(mask_HW, pixels), by_definition(mask_HW, pixels))


@pytest.mark.parametrize(
    ("size", "share", "pixels"), [((300, 400), 0.02, 10), ((16, 16), 0.02, 1), ((30, 40), 1.0, 50)]
)
def test_its_width_is_a_share_of_the_diagonal(size: tuple[int, int], share: float, pixels: int) -> None:
    assert boundary_pixels(*size, share) == pixels


def test_a_large_object_off_by_a_pixel_has_a_lower_boundary_iou_than_iou() -> None:
    truth, predicted = np.zeros((2, 40, 40), np.uint8)
    truth[5:35, 5:35], predicted[5:35, 6:36] = 1, 1
    family = BoundaryFamily(Boundary(width=0.02), CLASSES)  # One pixel wide.
    value = family.values(family.count(truth, predicted))["boundary_iou/roof"]
    ring = 4 * 30 - 4
    common = 2 * (30 - 1)  # Top and bottom rows but for one pixel each; the sides are shifted.
    assert value == pytest.approx(common / (2 * ring - common))
    assert value < 0.4 < 29 / 31


def test_counts_are_added_before_they_are_divided_and_void_counts_nothing() -> None:
    family = BoundaryFamily(Boundary(), CLASSES)
    truth = np.array([[0, 1, VOID]], np.uint8)
    counts = family.count(truth, np.array([[0, 1, 1]], np.uint8)) + family.count(truth, np.array([[1, 1, 0]], np.uint8))
    values = family.values(counts)
    assert values["boundary_iou/ground"] == pytest.approx(1 / 2) and values["boundary_iou/roof"] == pytest.approx(2 / 3)


def test_a_class_that_is_nowhere_has_none() -> None:
    family = BoundaryFamily(Boundary(), CLASSES)
    assert np.isnan(family.values(family.count(*np.zeros((2, 4, 4), np.uint8)))["boundary_iou/roof"])
