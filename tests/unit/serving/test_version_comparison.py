from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from serving.version_comparison import Comparison

MASKS = hnp.arrays(np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=st.sampled_from([0, 1, 2, 255]))


def reference(stable: np.ndarray, canary: np.ndarray) -> tuple[float, float]:
    classes = np.union1d(stable, canary)
    ious = [np.sum((stable == c) & (canary == c)) / np.sum((stable == c) | (canary == c)) for c in classes]
    return float(np.mean(stable == canary)), float(np.mean(ious))


@given(MASKS, st.randoms(use_true_random=False))
def test_the_figures_are_those_of_the_definition(stable: np.ndarray, random: np.random.Generator) -> None:
    canary = stable.copy()
    for index in np.ndindex(*stable.shape):
        if random.random() < 0.3:
            canary[index] = random.choice([0, 1, 2, 255])
    comparison = Comparison()
    comparison.add(stable, canary)
    assert comparison.agreement() == pytest.approx((1, *reference(stable, canary)))


def test_pixels_of_all_pictures_count_alike() -> None:
    comparison = Comparison()
    comparison.add(np.zeros([1, 3], np.uint8), np.zeros([1, 3], np.uint8))
    comparison.add(np.zeros([1, 1], np.uint8), np.ones([1, 1], np.uint8))
    assert comparison.agreement() == (2, 0.75, pytest.approx((0.75 + 0) / 2))


def test_masks_of_two_sizes_are_not_compared() -> None:
    with pytest.raises(ValueError, match="one mask is"):
        Comparison().add(np.zeros([2, 3], np.uint8), np.zeros([3, 2], np.uint8))


def test_nothing_is_no_agreement() -> None:
    with pytest.raises(ValueError, match="no images"):
        Comparison().agreement()
