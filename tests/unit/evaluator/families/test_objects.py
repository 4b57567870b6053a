"""Metrics of objects: matches, panoptic quality and its parts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from common.records import VOID
from components.evaluator.families.config import Objects
from components.evaluator.families.objects import Matches, ObjectsFamily, match_objects

CLASSES = ("ground", "roof", "tree")
PAIRS = st.tuples(st.integers(1, 8), st.integers(1, 8)).flatmap(
    lambda size: st.tuples(
        arrays.arrays(np.uint8, size, elements=st.sampled_from([0, 1, VOID])),
        arrays.arrays(np.uint8, size, elements=st.sampled_from([0, 1])),
    )
)


def components_of(mask_HW: npt.NDArray[np.bool_]) -> list[set[tuple[int, int]]]:
    """Connected pixels, diagonal neighbours included, by flooding."""
    left = {(int(row), int(column)) for row, column in np.argwhere(mask_HW)}
    found = []
    while left:
        border, component = [left.pop()], set()
        while border:
            row, column = border.pop()
            component.add((row, column))
            near = {(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & left
            left -= near
            border.extend(near)
        found.append(component)
    return found


def by_definition(truth_HW: npt.NDArray[np.uint8], predicted_HW: npt.NDArray[np.uint8]) -> Matches:
    """Section 4.2 of the paper, with the rule for void of its section 4.3."""
    void = {(int(row), int(column)) for row, column in np.argwhere(truth_HW == VOID)}
    true, predicted = components_of(truth_HW == 1), components_of(predicted_HW == 1)
    pairs = [
        (i, j, iou)
        for i, of_truth in enumerate(true)
        for j, guess in enumerate(predicted)
        if (iou := len(of_truth & guess) / len(of_truth | (guess - void))) > 0.5
    ]
    matched = {j for _, j, _ in pairs}
    ignored = [j for j, guess in enumerate(predicted) if j not in matched and len(guess & void) > len(guess) / 2]
    found = len(pairs)
    return Matches(found, len(predicted) - found - len(ignored), len(true) - found, sum(iou for *_, iou in pairs))


@settings(deadline=None)
@given(PAIRS)
def test_matches_are_those_of_the_paper(pair: tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]) -> None:
    truth, predicted = pair
    found = match_objects(truth == 1, predicted == 1, truth == VOID)
    assert found == pytest.approx(by_definition(truth, predicted))


def test_two_of_three_objects_are_found_and_one_is_invented() -> None:
    truth, predicted = np.zeros((2, 20, 20), np.uint8)
    truth[0:4, 0:4] = truth[8:12, 0:4] = truth[16:20, 16:20] = 1
    predicted[0:4, 0:4], predicted[8:12, 0:3], predicted[0:2, 10:12] = 1, 1, 1
    family = ObjectsFamily(Objects(classes=("roof",)), CLASSES)
    values = family.values(family.count(truth, predicted))
    assert values["object_precision/roof"] == values["object_recall/roof"] == values["object_f1/roof"]
    assert values["object_f1/roof"] == pytest.approx(2 / 3)
    assert values["panoptic_quality/roof"] == pytest.approx((1 + 3 / 4) / 3)


def test_all_classes_but_the_first_have_objects() -> None:
    family = ObjectsFamily(Objects(), CLASSES)
    values = family.values(family.count(*np.zeros((2, 4, 4), np.uint8)))
    assert {name.partition("/")[2] for name in values} == {"roof", "tree"}
    assert all(np.isnan(value) for value in values.values())


def test_objects_that_touch_are_one() -> None:
    truth = np.array([[1, 0, 1], [1, 0, 1], [0, 1, 0]], np.uint8)  # A diagonal joins them.
    assert match_objects(truth == 1, truth == 1, truth == VOID) == Matches(1, 0, 0, 1.0)


def test_a_stricter_overlap_finds_less() -> None:
    truth, predicted = np.ones((2, 4, 4), bool)
    predicted[:, 3] = False
    void = np.zeros((4, 4), bool)
    assert match_objects(truth, predicted, void, 0.7).found == 1
    assert match_objects(truth, predicted, void, 0.75).found == 0
