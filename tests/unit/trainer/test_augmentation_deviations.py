"""Colour augmentation in units of the image's standard deviation, and inversion."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from components.trainer.augmentation.augmenter import augmenter, finisher
from components.trainer.augmentation.colour import change_colours
from components.trainer.augmentation.config import Augmentation, Brightness, Contrast
from components.trainer.augmentation.deviations import change_deviations
from components.trainer.augmentation.stateless_random import StatelessRandom

SEED_2 = tf.constant([3, 4])
BATCH = 64
VALUE_BHWC = np.random.default_rng(0).normal(size=[BATCH, 4, 4, 3]).astype(np.float32)


def changed(**changes: object) -> np.ndarray:
    config = Augmentation(**changes)  # type: ignore[arg-type]
    result: np.ndarray = change_deviations(
        tf.constant(VALUE_BHWC), config, StatelessRandom(SEED_2, tf.constant(BATCH))
    ).numpy()
    return result


def test_brightness_adds_a_share_of_the_deviation() -> None:
    added = changed(brightness=Brightness(range=0.15, probability=1)) - VALUE_BHWC
    assert np.ptp(added, axis=(1, 2, 3)).max() < 1e-5
    assert 0.1 < np.abs(added).max() <= 0.15


def test_contrast_multiplies_about_the_mean() -> None:
    factor = changed(contrast=Contrast(range=0.35, probability=1)) / VALUE_BHWC
    assert np.ptp(factor, axis=(1, 2, 3)).max() < 1e-4
    assert 0.65 <= factor.min() < 0.8
    assert 1.2 < factor.max() <= 1.3501


def test_inversion_changes_the_sign_of_its_share_of_the_images() -> None:
    inverted_B = (changed(invert=0.25) == -VALUE_BHWC).all(axis=(1, 2, 3))
    assert 0.1 < inverted_B.mean() < 0.4
    np.testing.assert_array_equal(changed(invert=0.25)[~inverted_B], VALUE_BHWC[~inverted_B])


def test_inversion_of_pixels_exchanges_bright_and_dark() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, [5, 4, 4, 3]).astype(np.uint8)
    inverted = change_colours(tf.constant(pixels), Augmentation(invert=1.0), StatelessRandom(SEED_2, tf.constant(5)))
    np.testing.assert_array_equal(inverted, 255 - pixels)


def test_an_augmented_whole_image_is_normalised_by_what_it_was_before() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, [5, 16, 16, 3]).astype(np.uint8)
    mask = np.zeros([5, 16, 16], np.uint8)
    image, _ = augmenter(Augmentation(flip_horizontal=0.0), by_picture=True)(
        tf.constant(pixels), tf.constant(mask), SEED_2
    )
    np.testing.assert_allclose(image.numpy().mean(axis=(1, 2)), 0, atol=1e-5)


def test_windows_are_changed_before_or_after_their_normalisation() -> None:
    pixels = np.full([5, 16, 16, 3], 100, np.uint8)
    mask = np.zeros([5, 16, 16], np.uint8)
    statistics = tf.fill([5, 3], 90.0), tf.fill([5, 3], 12.0)
    config = Augmentation(brightness=Brightness(range=0.5, probability=1))
    by_picture, _ = finisher(config, by_picture=True)(tf.constant(pixels), tf.constant(mask), *statistics, SEED_2)
    in_pixels, _ = finisher(config, by_picture=False)(tf.constant(pixels), tf.constant(mask), *statistics, SEED_2)
    assert np.abs(by_picture.numpy() - 0.5).max() <= 0.5
    assert in_pixels.dtype == tf.uint8
    assert len(np.unique(in_pixels)) > 1
