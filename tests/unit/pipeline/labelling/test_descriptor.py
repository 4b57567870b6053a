"""Distances of descriptors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.labelling.candidates import NEAR_DUPLICATE
from pipeline.labelling.descriptor import describe, grid_means


def distance(one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]) -> float:
    return float(np.linalg.norm(describe(*one) - describe(*other)))


def plain(label: int, colour: int, size: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """An image of one colour, and a model that is certain of one class."""
    map_HWC = np.zeros([12, 12, 3], np.float32)
    map_HWC[..., label] = 1
    return map_HWC, np.full([size, size, 3], colour, np.uint8)


def test_each_part_is_between_0_and_1() -> None:
    assert distance(plain(0, 0), plain(0, 0)) == 0
    assert distance(plain(0, 0), plain(1, 0)) == pytest.approx(1)
    assert distance(plain(0, 0), plain(0, 255)) == pytest.approx(1)
    assert distance(plain(0, 0), plain(1, 255)) == pytest.approx(np.sqrt(2))


def test_an_image_at_another_size_or_with_a_little_noise_is_a_near_duplicate() -> None:
    random = np.random.default_rng(0)
    map_HWC, image_HWC = plain(0, 100, 64)
    noisy_HWC = image_HWC + random.integers(0, 10, image_HWC.shape).astype(np.uint8)
    assert distance((map_HWC, image_HWC), plain(0, 100, 40)) < NEAR_DUPLICATE
    assert distance((map_HWC, noisy_HWC), (map_HWC, noisy_HWC[:, ::-1])) < NEAR_DUPLICATE
    assert distance((map_HWC, image_HWC), plain(0, 110)) > NEAR_DUPLICATE


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_samples_of_bands_are_scaled(dtype: str) -> None:
    image_HWC = np.random.default_rng(0).integers(0, 200, [20, 20, 5]).astype(dtype)
    descriptor = describe(plain(0, 0)[0], image_HWC)
    assert np.isfinite(descriptor).all() and descriptor.min() >= 0 and descriptor.max() <= 1


@settings(max_examples=50)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 8))
def test_cells_cover_the_image_and_none_is_empty(height: int, width: int, cells: int) -> None:
    values_HWC = np.random.default_rng(0).random([height, width, 2])
    means = grid_means(values_HWC, cells)
    assert means.shape == (cells, cells, 2) and np.isfinite(means).all()
    if height % cells == 0 and width % cells == 0:
        blocks = values_HWC.reshape(cells, height // cells, cells, width // cells, 2)
        np.testing.assert_allclose(means, blocks.mean(axis=(1, 3)))
