"""The grid of images, truth, prediction and errors."""

from __future__ import annotations

import numpy as np
import pytest

from common.palette import WRONG, class_colours
from common.records import VOID
from components.trainer.tensorboard.grid import draw_grid

IMAGE = np.full((1, 6, 5, 3), 40, np.uint8)


def test_a_row_has_image_truth_prediction_and_errors_side_by_side() -> None:
    truth, predicted = np.zeros((1, 6, 5), np.uint8), np.zeros((1, 6, 5), np.uint8)
    truth[0, :3], predicted[0, :, 4] = 1, 1
    grid = draw_grid(IMAGE, truth, predicted)
    assert grid.shape == (6, 4 * 5 + 3 * 4, 3)
    image, true, guess, error = (grid[:, begin : begin + 5] for begin in (0, 9, 18, 27))
    assert (image == 40).all()
    assert (true[:3] == class_colours(2)[1]).all() and (true[3:] == class_colours(2)[0]).all()
    assert (guess[:, 4] == class_colours(2)[1]).all()
    np.testing.assert_array_equal((error == WRONG).all(axis=-1), truth[0] != predicted[0])


def test_void_pixels_are_never_wrong() -> None:
    truth = np.full((1, 6, 5), VOID, np.uint8)
    error = draw_grid(IMAGE, truth, np.ones_like(truth))[:, 27:]
    assert not (error == WRONG).all(axis=-1).any()


@pytest.mark.parametrize("bands", [1, 3, 5])
def test_images_of_any_bands_are_stretched(bands: int) -> None:
    images = np.linspace(-3, 3, 2 * 6 * 5 * bands, dtype=np.float32).reshape(2, 6, 5, bands)
    masks = np.zeros((2, 6, 5), np.uint8)
    grid = draw_grid(images, masks, masks)
    assert grid.shape == (2 * 6 + 4, 32, 3) and grid.dtype == np.uint8
    assert grid[:6, :5].min() == 0 and grid[:6, :5].max() == 255
