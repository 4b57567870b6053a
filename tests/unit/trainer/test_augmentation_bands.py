"""Images of bands are augmented as 8-bit RGB is, without being rounded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from components.trainer.augmentation.augmenter import augmenter
from components.trainer.augmentation.config import Augmentation

SYMMETRIES = {"flip_horizontal": True, "flip_vertical": True, "quarter_turns": True}
CHANGES: dict[str, dict[str, Any]] = {
    "symmetries": SYMMETRIES,
    "rotation and crop": {"rotate": {"degrees": 30}, "crop": {}, **SYMMETRIES},
    "colours": {"brightness": {}, "contrast": {}, "gamma": {}, "invert": 0.5},
    "cutout": {"cutout": {"probability": 1}},
}


def images(size: int = 16, side: int = 24) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    mask = random.integers(0, 3, [size, side, side]).astype(np.uint8)
    return random.integers(0, 256, [size, side, side, 3]).astype(np.uint8), mask


def augment(
    changes: dict[str, Any], image_BHWC: np.ndarray, mask_BHW: np.ndarray, by_picture: bool = False
) -> tuple[np.ndarray, ...]:
    function = augmenter(Augmentation.model_validate({"flip_horizontal": False} | changes), by_picture)
    changed = function(tf.constant(image_BHWC), tf.constant(mask_BHW), tf.constant([3, 1], tf.int64))
    return tuple(tensor.numpy() for tensor in changed)


@pytest.mark.parametrize("kind", CHANGES)
def test_the_same_values_change_alike_as_floating_point(kind: str) -> None:
    image_BHWC, mask_BHW = images()
    wanted_BHWC, wanted_BHW = augment(CHANGES[kind], image_BHWC, mask_BHW)
    changed_BHWC, changed_BHW = augment(CHANGES[kind], image_BHWC.astype(np.float32), mask_BHW)
    assert (changed_BHWC.dtype, changed_BHW.dtype) == (np.float32, np.uint8)
    np.testing.assert_array_equal(changed_BHW, wanted_BHW)
    np.testing.assert_allclose(changed_BHWC, wanted_BHWC, atol=0.51)


@pytest.mark.parametrize("kind", CHANGES)
def test_every_band_changes_and_keeps_its_fractions(kind: str) -> None:
    image_BHWC, mask_BHW = images()
    five_BHWC = np.concatenate([image_BHWC, image_BHWC[..., :2]], axis=-1) / np.float32(257)
    changed_BHWC, changed_BHW = augment(CHANGES[kind], five_BHWC, mask_BHW)
    assert changed_BHWC.shape == five_BHWC.shape
    assert (changed_BHWC != np.rint(changed_BHWC)).any()
    np.testing.assert_array_equal(changed_BHWC[..., 3:], changed_BHWC[..., :2])
    for band in range(3):
        alone_BHWC, alone_BHW = augment(CHANGES[kind], five_BHWC[..., band : band + 1], mask_BHW)
        np.testing.assert_allclose(alone_BHWC[..., 0], changed_BHWC[..., band], atol=1e-4)
        np.testing.assert_array_equal(alone_BHW, changed_BHW)


def test_bands_are_normalised_by_their_own_statistics() -> None:
    image_BHWC, mask_BHW = images()
    value_BHWC, _ = augment({}, image_BHWC.astype(np.float32), mask_BHW, by_picture=True)
    np.testing.assert_allclose(value_BHWC, augment({}, image_BHWC, mask_BHW, by_picture=True)[0], atol=1e-4)
