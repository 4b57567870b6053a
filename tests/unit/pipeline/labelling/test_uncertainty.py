"""Entropy and margin against their definitions, pixel by pixel."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.labelling.uncertainty import UncertaintySum

sizes = st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(2, 6))


def probabilities(shape: tuple[int, int, int], seed: int) -> np.ndarray:
    """Distributions, of which some have a class of probability 0."""
    random = np.random.default_rng(seed)
    scores = random.random(shape) * (random.random(shape) < 0.7) + 1e-3 * (np.arange(shape[-1]) == 0)
    return (scores / scores.sum(axis=-1, keepdims=True)).astype(np.float32)


@settings(max_examples=50)
@given(sizes, st.integers(0, 1000))
def test_they_are_the_means_over_the_pixels(shape: tuple[int, int, int], seed: int) -> None:
    map_HWC = probabilities(shape, seed)
    entropies, margins = [], []
    for pixel in map_HWC.reshape(-1, shape[-1]).astype(float):
        entropies.append(-sum(p * math.log(p) for p in pixel if p > 0) / math.log(shape[-1]))
        second, first = sorted(pixel)[-2:]
        margins.append(1 - (first - second))
    total = UncertaintySum()
    total.add(map_HWC)
    assert total.mean() == pytest.approx((np.mean(entropies), np.mean(margins)), abs=1e-5)


def test_a_certain_model_has_0_and_one_that_knows_nothing_1() -> None:
    certain, unknowing = UncertaintySum(), UncertaintySum()
    certain.add(np.eye(3, dtype=np.float32)[[[0, 1, 2]]])
    unknowing.add(np.full([2, 2, 4], 0.25, np.float32))
    assert certain.mean() == (0, 0)
    assert unknowing.mean() == pytest.approx((1, 1))


def test_parts_count_by_their_pixels() -> None:
    map_HWC = probabilities((7, 4, 3), 0)
    whole, parts = UncertaintySum(), UncertaintySum()
    whole.add(map_HWC)
    for part_HWC in (map_HWC[:2], map_HWC[2:]):
        parts.add(part_HWC)
    assert parts.mean() == pytest.approx(whole.mean())
