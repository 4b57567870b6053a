"""Surface Dice and HD95, held against their definition: the distance of each pair of boundary pixels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from common.records import VOID
from components.evaluator.families.config import Surface
from components.evaluator.families.surface import SurfaceFamily, edges

CLASSES = ("ground", "roof")
Flags = npt.NDArray[np.bool_]
PAIRS = st.tuples(st.integers(2, 8), st.integers(2, 8)).flatmap(
    lambda size: st.tuples(arrays.arrays(bool, size), arrays.arrays(bool, size))
)
SPACINGS = st.tuples(st.sampled_from([0.5, 1.0, 2.0]), st.sampled_from([0.5, 1.0, 2.0]))


def edge_points(mask_HW: Flags) -> npt.NDArray[np.int64]:
    """Places of the pixels with a side next to a pixel that is not of the mask."""
    padded = np.pad(mask_HW, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return np.argwhere(mask_HW & ~inner)


def directed(truth_HW: Flags, predicted_HW: Flags, spacing: tuple[float, float]) -> list[npt.NDArray[np.float64]]:
    true, predicted = (edge_points(mask) * spacing for mask in (truth_HW, predicted_HW))
    between = np.linalg.norm(true[:, None] - predicted[None], axis=2)
    return [between.min(axis=0), between.min(axis=1)]


@settings(deadline=None)
@given(PAIRS, SPACINGS, st.sampled_from([0.0, 1.0, 1.5]))
def test_both_follow_from_the_distances_of_the_boundaries(
    pair: tuple[Flags, Flags], spacing: tuple[float, float], tolerance: float
) -> None:
    truth, predicted = pair
    assume(truth.any() and predicted.any())
    family = SurfaceFamily(Surface(tolerance=tolerance, spacing=spacing), CLASSES)
    values = family.values(family.count(truth.astype(np.uint8), predicted.astype(np.uint8)))
    distances = directed(truth, predicted, spacing)
    agreeing = sum(int((each <= tolerance).sum()) for each in distances)
    assert values["surface_dice/roof"] == pytest.approx(agreeing / sum(map(len, distances)))
    assert values["hd95/roof"] == pytest.approx(max(np.percentile(each, 95) for each in distances))


def test_a_square_moved_by_three_pixels() -> None:
    truth, predicted = np.zeros((2, 40, 40), np.uint8)
    truth[10:20, 10:20], predicted[10:20, 13:23] = 1, 1
    values = {
        tolerance: family.values(family.count(truth, predicted))
        for tolerance in (2, 3)
        if (family := SurfaceFamily(Surface(tolerance=tolerance), CLASSES))
    }
    assert values[3]["surface_dice/roof"] == 1 and values[2]["surface_dice/roof"] < 1
    assert values[2]["hd95/roof"] == 3


def test_where_only_one_has_the_class_nothing_agrees_and_the_distance_is_the_diagonal() -> None:
    truth, predicted = np.zeros((2, 30, 40), np.uint8)
    predicted[3, 3] = 1
    family = SurfaceFamily(Surface(spacing=(2, 2)), CLASSES)
    values = family.values(family.count(truth, predicted))
    assert values["surface_dice/roof"] == 0 and values["hd95/roof"] == 100


def test_hd95_is_the_mean_over_the_images_that_have_the_class() -> None:
    family = SurfaceFamily(Surface(), CLASSES)
    empty, full = np.zeros((5, 5), np.uint8), np.ones((5, 5), np.uint8)
    half = full.copy()
    half[:, :2] = 0
    counts = sum(family.count(truth, half) for truth in (full, half)) + family.count(empty, empty)
    one, other = (family.values(family.count(truth, half))["hd95/roof"] for truth in (full, half))
    assert family.values(counts)["hd95/roof"] == pytest.approx((one + other) / 2)


def test_void_is_not_of_any_class_on_either_side() -> None:
    truth = np.array([[1, 1, VOID, 0]], np.uint8)
    family = SurfaceFamily(Surface(tolerance=0), CLASSES)
    values = family.values(family.count(truth, np.array([[1, 1, 1, 0]], np.uint8)))
    assert values["surface_dice/roof"] == 1 and values["hd95/roof"] == 0
    assert not edges(np.zeros((3, 3), bool)).any()
