"""Disagreement of two masks."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.labelling.disagreement import disagreement


def mask(*classes: int) -> np.ndarray:
    return np.array([classes], np.uint8)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (mask(0, 1, 2), mask(0, 1, 2), 0),
        (mask(0, 0, 0), mask(1, 1, 1), 1),
        (mask(0, 0, 1, 1), mask(0, 1, 1, 1), 1 - (1 / 2 + 2 / 3) / 2),
        (mask(3, 3), mask(3, 3), 0),
    ],
    ids=["the same", "another class everywhere", "one pixel", "classes that neither has do not count"],
)
def test_it_is_1_less_the_mean_iou(one: np.ndarray, other: np.ndarray, expected: float) -> None:
    assert disagreement(one, other, 4) == pytest.approx(expected)
    assert disagreement(other, one, 4) == pytest.approx(expected)
