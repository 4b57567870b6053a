"""One random window of an image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from common.records import VOID
from components.trainer.augmentation.config import Augmentation, Rotate
from components.trainer.windows.config import WindowsConfig
from components.trainer.windows.cutting import Cut, cut_window
from components.trainer.windows.strips import strips_of

PLAIN = Augmentation(flip_horizontal=0.0)
TURNED = Augmentation(flip_horizontal=0.5, flip_vertical=0.5, quarter_turns=1.0)
SEEDS = range(12)


def picture(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Each pixel's colour is its place, and its class the quarter of the image."""
    rows_HW, columns_HW = np.mgrid[:height, :width]
    mask_HW = (2 * (rows_HW >= height // 2) + (columns_HW >= width // 2)).astype(np.uint8)
    return np.stack([rows_HW, columns_HW, mask_HW * 60], axis=-1).astype(np.uint8), mask_HW


def windows(
    image_HWC: np.ndarray,
    mask_HW: np.ndarray,
    augmentation: Augmentation,
    size_2: tuple[int, int] = (32, 24),
    **settings: Any,
) -> list[tuple[np.ndarray, np.ndarray]]:
    counts_C = np.bincount(mask_HW.ravel(), minlength=4)[:4]
    rare_C = tuple(range(4) != counts_C.argmax())
    cut = Cut(size_2, augmentation, WindowsConfig(**{"foreground": 0, **settings}), rare_C)
    made = [
        cut_window(strips_of(tf.constant(image_HWC), tf.constant(mask_HW), 4), cut, tf.constant([seed, 5]))
        for seed in SEEDS
    ]
    return [(image.numpy(), mask.numpy()) for image, mask in made]


def test_a_window_without_augmentation_is_a_part_of_the_image() -> None:
    image_HWC, mask_HW = picture(80, 100)
    places = set()
    for image, mask in windows(image_HWC, mask_HW, PLAIN):
        top, left = image[0, 0, :2]
        np.testing.assert_array_equal(image, image_HWC[top : top + 32, left : left + 24])
        np.testing.assert_array_equal(mask, mask_HW[top : top + 32, left : left + 24])
        places.add((top, left))
    assert len(places) > len(SEEDS) / 2


def test_flips_and_quarter_turns_copy_pixels_of_image_and_mask_alike() -> None:
    image_HWC, mask_HW = picture(80, 100)
    known = {tuple(pixel) for pixel in image_HWC.reshape(-1, 3)}
    ways = set()
    for image, mask in windows(image_HWC, mask_HW, TURNED):
        assert {tuple(pixel) for pixel in image.reshape(-1, 3)} <= known
        np.testing.assert_array_equal(image[..., 2], mask * 60)
        steps = image[1, 0, :2].astype(int) - image[0, 0, :2], image[0, 1, :2].astype(int) - image[0, 0, :2]
        ways.add(tuple(np.concatenate(steps).tolist()))
    assert len(ways) > 4


def test_every_place_of_an_image_of_the_windows_size_is_the_same() -> None:
    image_HWC, mask_HW = picture(32, 24)
    for image, mask in windows(image_HWC, mask_HW, PLAIN):
        np.testing.assert_array_equal(image, image_HWC)
        np.testing.assert_array_equal(mask, mask_HW)


@pytest.mark.parametrize("zoom", [0.5, 2.0])
def test_zoom_shows_objects_smaller_or_larger(zoom: float) -> None:
    image_HWC, mask_HW = picture(160, 160)
    for image, mask in windows(image_HWC, mask_HW, PLAIN, zoom=(zoom, zoom)):
        step = float(image[-1, 0, 0]) - float(image[0, 0, 0])
        assert step == pytest.approx(31 / zoom, abs=1)
        assert not (mask == VOID).any()


def test_turned_windows_of_a_large_image_have_no_pixel_from_outside() -> None:
    image_HWC, mask_HW = picture(120, 140)
    augmentation = Augmentation(rotate=Rotate(degrees=180, probability=1.0))
    for image, mask in windows(image_HWC + 1, mask_HW, augmentation, zoom=(0.8, 1.25)):
        assert not (mask == VOID).any()
        assert image[..., 0].min() > 0


def test_a_small_image_is_reflected_and_its_mask_is_void_outside() -> None:
    image_HWC, mask_HW = picture(16, 100)
    for image, mask in windows(image_HWC, mask_HW, PLAIN):
        assert (mask[:8] == VOID).all()
        assert (mask[24:] == VOID).all()
        assert not (mask[8:24] == VOID).any()
        np.testing.assert_array_equal(image[:8], image[15:7:-1])
        np.testing.assert_array_equal(image[24:], image[23:15:-1])


def test_foreground_windows_hold_a_rare_class_in_their_middle() -> None:
    image_HWC, mask_HW = picture(200, 200)
    mask_HW = np.zeros_like(mask_HW)
    mask_HW[60, 70], mask_HW[120, 130] = 1, 2
    middles = {int(mask[16, 12]) for _, mask in windows(image_HWC, mask_HW, PLAIN, foreground=1)}
    assert middles == {1, 2}


def test_a_foreground_window_at_the_border_stays_inside() -> None:
    image_HWC, mask_HW = picture(200, 200)
    mask_HW = np.zeros_like(mask_HW)
    mask_HW[0, 199] = 1
    for _, mask in windows(image_HWC, mask_HW, PLAIN, foreground=1):
        assert mask[0, -1] == 1
        assert not (mask == VOID).any()


def test_an_image_without_a_rare_class_gives_windows_from_anywhere() -> None:
    image_HWC, mask_HW = picture(200, 200)
    made = windows(image_HWC, np.zeros_like(mask_HW), PLAIN, foreground=1)
    assert len({tuple(image[0, 0]) for image, _ in made}) > 1
