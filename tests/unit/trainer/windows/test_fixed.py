"""The windows by which epochs are compared."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from common.records import VOID
from components.trainer.windows.fixed import count_fixed, fixed_windows

SIZE = (32, 24)


def cut(height: int, width: int, most: int = 100) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    mask_HW = np.random.default_rng(0).integers(0, 3, [height, width]).astype(np.uint8)
    image, mask = fixed_windows(tf.constant(np.repeat(mask_HW[..., None], 3, -1)), tf.constant(mask_HW), SIZE, most)
    return mask_HW, image.numpy(), mask.numpy()


@pytest.mark.parametrize("size", [(32, 24), (33, 24), (100, 90), (20, 70), (10, 10)])
def test_windows_cover_the_image_and_each_pixel_counts_once(size: tuple[int, int]) -> None:
    mask_HW, image, mask = cut(*size)
    counted = np.bincount(mask.ravel(), minlength=256)
    assert counted[:3].tolist() == np.bincount(mask_HW.ravel(), minlength=3).tolist()
    np.testing.assert_array_equal(image[mask != VOID][:, 0], mask[mask != VOID])
    assert len(mask) == count_fixed(*size, SIZE, 100)


def test_a_large_image_has_at_most_so_many_from_all_over_it() -> None:
    mask_HW, image, mask = cut(320, 240, most=5)
    assert len(image) == len(mask) == count_fixed(320, 240, SIZE, 5) == 5
    wanted = [mask_HW[row : row + 32, column : column + 24] for row, column in ((0, 0), (64, 0), (128, 0))]
    for made, expected in zip(mask[:3], wanted, strict=True):
        np.testing.assert_array_equal(made, expected)
