"""One map for a picture and its mask."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from common.records import VOID
from components.trainer.augmentation.augmenter import augmenter
from components.trainer.augmentation.config import Augmentation
from components.trainer.augmentation.geometry import draw_window, warp
from components.trainer.augmentation.stateless_random import StatelessRandom
from components.trainer.augmentation.symmetry import move_pixels

SEED = tf.constant([7, 1], tf.int64)
SYMMETRIES = {"flip_horizontal": True, "flip_vertical": True, "quarter_turns": True}
GEOMETRIES = {
    "rotate": {"rotate": {"degrees": 180, "probability": 1}},
    "crop": {"crop": {"scale": [0.2, 1.0]}},
    "central crop": {"central_crop": {"side": [0.4, 1.0], "probability": 1}},
    "all": {"rotate": {"degrees": 45}, "crop": {}, "central_crop": {}, **SYMMETRIES},
}


def config(**changes: Any) -> Augmentation:
    return Augmentation.model_validate({"flip_horizontal": False} | changes)


def places(size: int = 32, height: int = 60, width: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Pictures whose red is 4·x and green 4·y, beside masks in tiles of 4×4, each pixel's tile numbered by place."""
    y, x = np.mgrid[:height, :width]
    image_HWC = np.stack([4 * x, 4 * y, np.full_like(x, 200)], axis=-1).astype(np.uint8)
    mask_HW = (x // 4 + 15 * (y // 4)).astype(np.uint8)
    return np.tile(image_HWC, [size, 1, 1, 1]), np.tile(mask_HW, [size, 1, 1])


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_each_pixel_of_the_mask_comes_from_where_its_colour_comes_from(geometry: str) -> None:
    image, mask = (tensor.numpy().astype(int) for tensor in augmenter(config(**GEOMETRIES[geometry]))(*places(), SEED))
    inside = mask != VOID
    assert (image[inside][:, 2] == 200).all()
    tile_x, tile_y = mask[inside] % 15, mask[inside] // 15
    for colour, tile in ((image[inside][:, 0], tile_x), (image[inside][:, 1], tile_y)):
        # A tile's pixels are 4·(4·tile) to 4·(4·tile + 3); nearest neighbours are up to half a pixel away.
        distance = np.maximum(16 * tile - colour, colour - (16 * tile + 12))
        assert distance.max() <= 3
    assert inside.mean() > 0.5


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_what_comes_from_outside_is_black_and_void(geometry: str) -> None:
    image_BHWC, mask_BHW = places()
    image, mask = augmenter(config(**GEOMETRIES[geometry]))(
        tf.fill(image_BHWC.shape, tf.constant(200, tf.uint8)), mask_BHW, SEED
    )
    image, void = image.numpy()[..., 0], mask.numpy() == VOID
    assert (image[void] == 0).all()
    assert (image[~void] == 200).all()
    assert void.any() == ("rotate" in GEOMETRIES[geometry])


def test_the_map_of_mirrors_and_quarter_turns_copies_pixels_exactly() -> None:
    image_BHWC, _ = places(64)
    random = np.random.default_rng(0)
    image_BHWC, mask_BHW = (random.integers(0, 255, shape).astype(np.uint8) for shape in ([64, 9, 9, 3], [64, 9, 9]))
    symmetries = config(**SYMMETRIES)
    exact = move_pixels(image_BHWC, mask_BHW, symmetries, StatelessRandom(SEED, 64))
    mapped = warp(tf.constant(image_BHWC), tf.constant(mask_BHW), symmetries, StatelessRandom(SEED, 64))
    for one, other in zip(exact, mapped, strict=True):
        np.testing.assert_array_equal(one, other)


def test_mirrors_of_oblong_pictures_are_exact_too() -> None:
    image_BHWC, mask_BHW = places(16, 24, 60)
    mirrors = config(flip_horizontal=True, flip_vertical=True)
    exact = move_pixels(image_BHWC, mask_BHW, mirrors, StatelessRandom(SEED, 16))
    mapped = warp(tf.constant(image_BHWC), tf.constant(mask_BHW), mirrors, StatelessRandom(SEED, 16))
    for one, other in zip(exact, mapped, strict=True):
        np.testing.assert_array_equal(one, other)


def test_angles_fill_their_range_and_keep_to_it() -> None:
    turned = config(rotate={"degrees": 20, "probability": 1})
    image_BHWC, mask_BHW = places(400, 41, 41)
    image, _ = augmenter(turned)(image_BHWC, mask_BHW, SEED)
    # Along the middle row of a turned picture, x rises by cos and y by sin of the angle.
    row = image.numpy()[:, 20, 12:29].astype(float)
    angle_B = np.rad2deg(np.arctan2(row[:, -1, 1] - row[:, 0, 1], row[:, -1, 0] - row[:, 0, 0]))
    assert 18 < angle_B.max() < 21
    assert -21 < angle_B.min() < -18


def test_windows_keep_to_their_ranges_and_inside_the_picture() -> None:
    crop = {"scale": [0.3, 0.9], "ratio": [0.5, 1.5]}
    window = draw_window(config(crop=crop), StatelessRandom(SEED, 2000))
    width_B, height_B, x_B, y_B = (part.numpy() for part in window)
    area_B, aspect_B = width_B * height_B, width_B / height_B
    assert 0.3 - 1e-6 <= area_B.min() < 0.33 and 0.87 < area_B.max() <= 0.9 + 1e-6
    assert 0.5 - 1e-6 <= aspect_B.min() < 0.6 and 1.3 < aspect_B.max() <= 1.5 + 1e-6
    for side_B, middle_B in ((width_B, x_B), (height_B, y_B)):
        assert (abs(middle_B) + side_B / 2 <= 0.5 + 1e-6).all()
        assert (side_B <= 1 + 1e-6).all()
        assert middle_B.std() > 0.05


def test_central_crops_keep_the_middle() -> None:
    window = draw_window(config(central_crop={"side": [0.5, 0.8], "probability": 1}), StatelessRandom(SEED, 1000))
    width_B, height_B, x_B, y_B = (part.numpy() for part in window)
    np.testing.assert_array_equal(width_B, height_B)
    assert 0.5 <= width_B.min() < 0.52 and 0.78 < width_B.max() <= 0.8
    assert not x_B.any() and not y_B.any()


def test_a_crop_is_the_resized_window() -> None:
    # A window of exactly half the sides in the middle, doubled: TensorFlow's own resizing of the cut pixels.
    image_BHWC, mask_BHW = places(2, 32, 32)
    image, _ = augmenter(config(central_crop={"side": [0.5, 0.5], "probability": 1}))(image_BHWC, mask_BHW, SEED)
    expected = tf.round(tf.image.resize(image_BHWC[:, 8:24, 8:24], [32, 32])).numpy()
    np.testing.assert_allclose(image.numpy()[:, 2:-2, 2:-2].astype(float), expected[:, 2:-2, 2:-2], atol=1)
