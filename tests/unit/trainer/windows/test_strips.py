"""An image in strips: every row, pixel and window is that of the whole image."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from components.trainer.augmentation.config import Augmentation, Rotate
from components.trainer.windows import strips as strips_module
from components.trainer.windows.config import WindowsConfig
from components.trainer.windows.cutting import Cut, cut_window
from components.trainer.windows.strips import Strips, find_pixel, read_rows, read_whole, strips_of
from components.transform.pixel_format import RGB, PixelFormat

CLASSES = 4
HEIGHT, WIDTH = 61, 40
MASK_HW = np.random.default_rng(3).integers(0, CLASSES - 1, [HEIGHT, WIDTH]).astype(np.uint8)
"""The last class does not occur."""


def image(pixels: PixelFormat = RGB) -> np.ndarray:
    image_HWC = np.random.default_rng(2).integers(0, 255, [HEIGHT, WIDTH, pixels.bands])
    return image_HWC.astype(pixels.pixel_type)


@pytest.fixture(params=[10**6, 7 * WIDTH * 3, 1], ids=["in one", "of seven rows", "of one row"])
def strips(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Strips:
    monkeypatch.setattr(strips_module, "_STRIP_BYTES", request.param)
    return strips_of(tf.constant(image()), tf.constant(MASK_HW), CLASSES)


def test_all_rows_are_those_of_the_image(strips: Strips) -> None:
    image_HWC, mask_HW = read_whole(strips, RGB)
    np.testing.assert_array_equal(image_HWC, image())
    np.testing.assert_array_equal(mask_HW, MASK_HW)


@pytest.mark.parametrize(("begin", "end"), [(0, 1), (6, 8), (13, 14), (20, 61), (60, 61)])
def test_rows_are_read_alone(strips: Strips, begin: int, end: int) -> None:
    image_RWC, mask_RW = read_rows(strips, tf.constant(begin), tf.constant(end), RGB)
    np.testing.assert_array_equal(image_RWC, image()[begin:end])
    np.testing.assert_array_equal(mask_RW, MASK_HW[begin:end])


def test_bands_in_floating_point_are_read_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    five = PixelFormat(5, "uint16")
    monkeypatch.setattr(strips_module, "_STRIP_BYTES", 9 * WIDTH * 20)
    image_RWC, _ = read_rows(
        strips_of(tf.constant(image(five)), tf.constant(MASK_HW), CLASSES), tf.constant(5), tf.constant(50), five
    )
    np.testing.assert_array_equal(image_RWC, image(five)[5:50])


def test_a_pixel_of_a_class_is_found_by_its_share_of_all(strips: Strips) -> None:
    place_N2 = np.argwhere(MASK_HW == 2)
    for share in (0.0, 0.37, 0.5, 0.999):
        found_2 = find_pixel(strips, tf.constant(2, tf.int64), tf.constant(share))
        np.testing.assert_array_equal(found_2, place_N2[int(share * len(place_N2))])


def test_the_pixels_of_each_class_are_counted_by_strip(strips: Strips) -> None:
    counted_C = tf.reduce_sum(strips.class_pixels_TC, axis=0)
    np.testing.assert_array_equal(counted_C, np.bincount(MASK_HW.ravel(), minlength=CLASSES))


def test_windows_are_the_same_however_an_image_is_cut(strips: Strips, monkeypatch: pytest.MonkeyPatch) -> None:
    augmentation = Augmentation(flip_horizontal=0.5, rotate=Rotate(degrees=30, probability=0.5))
    windows = WindowsConfig(foreground=0.5, zoom=(0.7, 1.4))
    cut = Cut((24, 32), augmentation, windows, (False, True, True, True))
    monkeypatch.setattr(strips_module, "_STRIP_BYTES", 10**6)
    whole = strips_of(tf.constant(image()), tf.constant(MASK_HW), CLASSES)
    for seed in range(8):
        one, other = (cut_window(each, cut, tf.constant([seed, 1])) for each in (strips, whole))
        for ours, theirs in zip(one, other, strict=True):
            np.testing.assert_array_equal(ours, theirs)
