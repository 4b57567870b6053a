"""What is cut out is the picture's mean, and void."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from common.records import VOID
from components.trainer.augmentation.config import Cutout
from components.trainer.augmentation.cutout import cut_out
from components.trainer.augmentation.stateless_random import StatelessRandom

SEED = tf.constant([2, 1], tf.int64)


def cut(config: Cutout, size: int = 300, side: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    image_BHWC = np.random.default_rng(0).integers(0, 256, [size, side, side, 3]).astype(np.uint8)
    image, mask = cut_out(
        tf.constant(image_BHWC), tf.zeros([size, side, side], tf.uint8), config, StatelessRandom(SEED, size)
    )
    return image_BHWC, image.numpy(), mask.numpy()


def test_the_window_has_the_mean_colour_and_a_void_mask_and_all_else_stays() -> None:
    before, after, mask = cut(Cutout(probability=1.0))
    void = mask == VOID
    assert set(np.unique(mask)) == {0, VOID}
    np.testing.assert_array_equal(after[~void], before[~void])
    means_BC = np.rint(before.mean(axis=(1, 2), dtype=np.float64))
    expected = np.broadcast_to(means_BC[:, None, None], before.shape)
    assert abs(after[void].astype(int) - expected[void]).max() <= 1


def test_windows_are_rectangles_whose_sides_keep_to_their_range() -> None:
    _, _, mask = cut(Cutout(side=(0.25, 0.5), probability=1.0))
    void = mask == VOID
    heights, widths = void.any(axis=2).sum(axis=1), void.any(axis=1).sum(axis=1)
    np.testing.assert_array_equal(void.sum(axis=(1, 2)), heights * widths)
    # Windows reach over the border, so that less of them may be seen.
    assert 18 <= heights.max() <= 21
    assert np.percentile(heights, 10) < 12


def test_windows_lie_everywhere() -> None:
    _, _, mask = cut(Cutout(probability=1.0))
    assert (mask == VOID).any(axis=0).all()
