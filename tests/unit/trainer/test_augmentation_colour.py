"""Changes of colour against plain NumPy."""

from __future__ import annotations

import colorsys
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from components.trainer.augmentation.augmenter import augmenter
from components.trainer.augmentation.colour import brightened, contrasted, gamma_corrected, tinted
from components.trainer.augmentation.config import Augmentation

BATCH = 6
SEED = tf.constant([5, 1], tf.int64)


@pytest.fixture(scope="module")
def value_BHWC() -> np.ndarray:
    value = np.random.default_rng(0).random([BATCH, 7, 5, 3]).astype(np.float32)
    value[0, 0, 0], value[0, 0, 1], value[0, 0, 2] = 0, 1, 0.5  # Greys have no hue.
    return value


def per_picture(low: float, high: float) -> np.ndarray:
    return np.linspace(low, high, BATCH, dtype=np.float32)


def test_brightness_adds(value_BHWC: np.ndarray) -> None:
    added_B = per_picture(-0.7, 0.7)
    expected = np.clip(value_BHWC + added_B[:, None, None, None], 0, 1)
    np.testing.assert_allclose(brightened(value_BHWC, added_B), expected, atol=1e-6)


def test_contrast_is_the_distance_from_the_channels_mean(value_BHWC: np.ndarray) -> None:
    factor_B = per_picture(0, 2)
    mean = value_BHWC.mean(axis=(1, 2), keepdims=True)
    expected = np.clip(mean + factor_B[:, None, None, None] * (value_BHWC - mean), 0, 1)
    np.testing.assert_allclose(contrasted(value_BHWC, factor_B), expected, atol=1e-6)


def test_gamma_is_a_power(value_BHWC: np.ndarray) -> None:
    exponent_B = per_picture(0.2, 5)
    np.testing.assert_allclose(
        gamma_corrected(value_BHWC, exponent_B), value_BHWC ** exponent_B[:, None, None, None], atol=1e-6
    )


def test_saturation_and_hue_are_those_of_hsv(value_BHWC: np.ndarray) -> None:
    saturation_B, hue_B = per_picture(0, 2), per_picture(-0.5, 0.5)
    expected = np.zeros_like(value_BHWC)
    for b, y, x in np.ndindex(value_BHWC.shape[:3]):
        h, s, v = colorsys.rgb_to_hsv(*map(float, value_BHWC[b, y, x]))
        expected[b, y, x] = colorsys.hsv_to_rgb((h + hue_B[b]) % 1, min(s * saturation_B[b], 1), v)
    np.testing.assert_allclose(tinted(value_BHWC, tf.constant(saturation_B), tf.constant(hue_B)), expected, atol=1e-5)


def changed(value: int, **changes: Any) -> np.ndarray:
    """The mean of each of 500 pictures of grey `value` with one white row after `changes`."""
    config = Augmentation.model_validate({"flip_horizontal": False} | changes)
    image, _ = augmenter(config)(np.full([500, 4, 4, 3], value, np.uint8), np.zeros([500, 4, 4], np.uint8), SEED)
    return image.numpy()[:, 0, 0, 0].astype(float)


def test_brightness_fills_its_range_and_keeps_to_it() -> None:
    value = changed(128, brightness={"range": 0.2, "probability": 1})
    assert 77 <= value.min() < 80
    assert 176 < value.max() <= 179


def test_gamma_fills_its_range_and_keeps_to_it() -> None:
    value = changed(64, gamma={"range": 1.0, "probability": 1}) / 255
    exponent = np.log(value) / np.log(64 / 255)
    assert 0.49 < exponent.min() < 0.52
    assert 1.95 < exponent.max() < 2.05
    assert 0.4 < (exponent > 1).mean() < 0.6


@pytest.mark.parametrize("change", ["contrast", "saturation", "hue"])
def test_a_grey_picture_has_no_contrast_saturation_or_hue_to_change(change: str) -> None:
    assert set(changed(100, **{change: {"probability": 1}})) == {100}
