"""Statistics of one image, and normalisation by them."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from components.transform.picture_statistics import batch_statistics, denormalised, normalised, picture_statistics

IMAGE_BHWC = np.random.default_rng(0).integers(0, 256, [3, 21, 17, 3]).astype(np.uint8) // np.uint8(3)


def test_mean_and_deviation_are_those_of_each_channel() -> None:
    mean_3, std_3 = picture_statistics(tf.constant(IMAGE_BHWC[0]))
    pixels = IMAGE_BHWC[0].astype(np.float64)
    np.testing.assert_allclose(mean_3, pixels.mean(axis=(0, 1)), rtol=1e-6)
    np.testing.assert_allclose(std_3, pixels.std(axis=(0, 1)), rtol=1e-6)


def test_each_image_of_a_batch_is_normalised_by_its_own() -> None:
    value = normalised(tf.constant(IMAGE_BHWC), *batch_statistics(tf.constant(IMAGE_BHWC))).numpy()
    pixels = IMAGE_BHWC.astype(np.float64)
    mean, std = pixels.mean(axis=(1, 2), keepdims=True), pixels.std(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(value, (pixels - mean) / (std + 8), atol=1e-5)


def test_an_image_of_one_colour_becomes_zeros() -> None:
    flat = tf.fill([1, 5, 5, 3], tf.constant(200, tf.uint8))
    np.testing.assert_allclose(normalised(flat, *batch_statistics(flat)), 0, atol=1e-6)


def test_normalised_pixels_are_found_again() -> None:
    images, statistics = tf.constant(IMAGE_BHWC), batch_statistics(tf.constant(IMAGE_BHWC))
    np.testing.assert_array_equal(denormalised(normalised(images, *statistics), *statistics), images)
