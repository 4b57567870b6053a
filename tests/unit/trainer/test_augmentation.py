"""Random changes: the same for a picture and its mask, and only those that were asked for."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import tensorflow as tf

from components.trainer.augmentation import augmenter
from components.trainer.config import Augmentation

ALL = Augmentation(flip_horizontal=True, flip_vertical=True, quarter_turns=True)
NONE = Augmentation(flip_horizontal=False)


def batch(size: int = 64, side: int = 5) -> tuple[np.ndarray, np.ndarray]:
    mask_BHW = np.random.default_rng(0).integers(0, 255, [size, side, side]).astype(np.uint8)
    return np.repeat(mask_BHW[..., None], 3, axis=-1), mask_BHW


def augment(
    config: Augmentation, image_BHWC: np.ndarray, mask_BHW: np.ndarray, seed: int = 0
) -> tuple[np.ndarray, ...]:
    changed = augmenter(config)(tf.constant(image_BHWC), tf.constant(mask_BHW), tf.constant([seed, 1], tf.int64))
    return tuple(tensor.numpy() for tensor in changed)


@pytest.mark.parametrize("flags", itertools.product([False, True], repeat=3))
def test_picture_and_mask_change_alike(flags: tuple[bool, bool, bool]) -> None:
    image_BHWC, mask_BHW = batch()
    config = Augmentation(flip_horizontal=flags[0], flip_vertical=flags[1], quarter_turns=flags[2])
    image, mask = augment(config, image_BHWC, mask_BHW)
    for channel in range(3):
        np.testing.assert_array_equal(image[..., channel], mask)


def test_nothing_changes_when_nothing_is_asked() -> None:
    image_BHWC, mask_BHW = batch()
    image, mask = augment(NONE, image_BHWC, mask_BHW)
    np.testing.assert_array_equal(image, image_BHWC)
    np.testing.assert_array_equal(mask, mask_BHW)


def test_all_eight_symmetries_of_the_square_occur_and_nothing_else() -> None:
    image_BHWC, mask_BHW = batch(512)
    _, changed = augment(ALL, image_BHWC, mask_BHW)
    seen = set()
    for before, after in zip(mask_BHW, changed, strict=True):
        symmetries = [np.rot90(flipped, k) for flipped in (before, before[:, ::-1]) for k in range(4)]
        matches = [index for index, one in enumerate(symmetries) if (one == after).all()]
        assert matches
        seen.add(matches[0])
    assert seen == set(range(8))


def test_quarter_turns_alone_never_mirror() -> None:
    image_BHWC, mask_BHW = batch(128)
    _, changed = augment(Augmentation(flip_horizontal=False, quarter_turns=True), image_BHWC, mask_BHW)
    counts = np.zeros(4, int)
    for before, after in zip(mask_BHW, changed, strict=True):
        turns = [k for k in range(4) if (np.rot90(before, k) == after).all()]
        assert turns
        counts[turns[0]] += 1
    assert (counts > 0).all()


def test_the_seed_decides() -> None:
    image_BHWC, mask_BHW = batch()
    first, again, other = (augment(ALL, image_BHWC, mask_BHW, seed)[1] for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
