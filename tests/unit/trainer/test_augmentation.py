"""Random changes: the same for a picture and its mask, and only those that were asked for."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from common.records import VOID
from components.trainer.augmentation.augmenter import augmenter
from components.trainer.augmentation.config import Augmentation

ALL = Augmentation(flip_horizontal=True, flip_vertical=True, quarter_turns=True)
NONE = Augmentation(flip_horizontal=False)
EVERYTHING = {
    "rotate": {"degrees": 30},
    "crop": {},
    "central_crop": {},
    "brightness": {},
    "contrast": {},
    "gamma": {},
    "saturation": {},
    "hue": {},
    "cutout": {},
}
COLOURS = ("brightness", "contrast", "gamma", "saturation", "hue")


def plain(**changes: Any) -> Augmentation:
    """Nothing but `changes`."""
    return Augmentation.model_validate({"flip_horizontal": False} | changes)


def batch(size: int = 64, side: int = 5) -> tuple[np.ndarray, np.ndarray]:
    mask_BHW = np.random.default_rng(0).integers(0, 255, [size, side, side]).astype(np.uint8)
    return np.repeat(mask_BHW[..., None], 3, axis=-1), mask_BHW


def photographs(size: int = 16, height: int = 48, width: int = 48) -> tuple[np.ndarray, np.ndarray]:
    """Smooth coloured pictures and masks of three classes."""
    random = np.random.default_rng(1)
    image = tf.image.resize(random.integers(0, 256, [size, 6, 6, 3]), [height, width], "bicubic")
    mask = tf.image.resize(random.integers(0, 3, [size, 6, 6, 1]), [height, width], "nearest")
    return np.clip(image, 0, 255).astype(np.uint8), mask[..., 0].numpy().astype(np.uint8)


def augment(
    config: Augmentation, image_BHWC: np.ndarray, mask_BHW: np.ndarray, seed: int = 0
) -> tuple[np.ndarray, ...]:
    function = tf.function(augmenter(config))
    changed = function(tf.constant(image_BHWC), tf.constant(mask_BHW), tf.constant([seed, 1], tf.int64))
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


@pytest.mark.parametrize("change", EVERYTHING)
def test_nothing_changes_at_probability_zero(change: str) -> None:
    image_BHWC, mask_BHW = photographs()
    image, mask = augment(plain(**{change: EVERYTHING[change] | {"probability": 0}}), image_BHWC, mask_BHW)
    np.testing.assert_array_equal(image, image_BHWC)
    np.testing.assert_array_equal(mask, mask_BHW)


@pytest.mark.parametrize("change", EVERYTHING)
def test_about_the_asked_share_of_the_pictures_changes_and_the_rest_stays(change: str) -> None:
    image_BHWC, mask_BHW = photographs(200, 16, 16)
    image, _ = augment(plain(**{change: EVERYTHING[change] | {"probability": 0.3}}), image_BHWC, mask_BHW)
    changed_B = (image != image_BHWC).any(axis=(1, 2, 3))
    assert 0.15 < changed_B.mean() < 0.45


@pytest.mark.parametrize("change", EVERYTHING)
def test_at_probability_one_hardly_a_picture_stays(change: str) -> None:
    image_BHWC, mask_BHW = photographs(100, 16, 16)
    image, _ = augment(plain(**{change: EVERYTHING[change] | {"probability": 1}}), image_BHWC, mask_BHW)
    assert (image != image_BHWC).any(axis=(1, 2, 3)).mean() > 0.9


def test_colours_never_touch_the_mask() -> None:
    image_BHWC, mask_BHW = photographs()
    mask_BHW[:, 0] = VOID
    image, mask = augment(plain(**{name: {"probability": 1} for name in COLOURS}), image_BHWC, mask_BHW)
    np.testing.assert_array_equal(mask, mask_BHW)
    assert (image != image_BHWC).any(axis=(1, 2, 3)).all()


def test_the_mask_moves_the_same_whether_colours_change_or_not() -> None:
    image_BHWC, mask_BHW = photographs()
    geometry = {name: EVERYTHING[name] for name in ("rotate", "crop")}
    _, alone = augment(plain(**geometry), image_BHWC, mask_BHW)
    _, beside = augment(plain(**geometry, hue={}, contrast={}), image_BHWC, mask_BHW)
    np.testing.assert_array_equal(alone, beside)


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
    image_BHWC, mask_BHW = photographs()
    config = Augmentation.model_validate(EVERYTHING)
    first, again, other = (augment(config, image_BHWC, mask_BHW, seed) for seed in (3, 3, 4))
    for index in range(2):
        np.testing.assert_array_equal(first[index], again[index])
        assert (first[index] != other[index]).any()


def test_every_change_together_keeps_sizes_types_and_classes() -> None:
    image_BHWC, mask_BHW = photographs(8, 40, 56)
    image, mask = augment(Augmentation.model_validate(EVERYTHING), image_BHWC, mask_BHW)
    assert (image.shape, image.dtype) == ((8, 40, 56, 3), np.uint8)
    assert (mask.shape, mask.dtype) == ((8, 40, 56), np.uint8)
    assert set(np.unique(mask)) <= {0, 1, 2, VOID}


def test_static_shapes_reach_the_model() -> None:
    dataset = tf.data.Dataset.from_tensor_slices(photographs(4)).batch(2)
    augmented = dataset.map(lambda i, m: augmenter(Augmentation.model_validate(EVERYTHING))(i, m, tf.constant([1, 2])))
    image_spec, mask_spec = augmented.element_spec
    assert image_spec.shape.as_list() == [None, 48, 48, 3]
    assert mask_spec.shape.as_list() == [None, 48, 48]


def test_yes_and_no_are_shares_of_the_pictures() -> None:
    assert Augmentation(flip_horizontal=0.5, flip_vertical=0.5, quarter_turns=1.0) == ALL
    assert Augmentation(flip_horizontal=False).flip_horizontal == 0
