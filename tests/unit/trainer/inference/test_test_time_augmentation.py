"""Test-time augmentation."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from components.trainer.inference.test_time_augmentation import with_test_time_augmentation

IMAGE_BHWC = np.random.default_rng(0).random([2, 6, 8, 3]).astype(np.float32)
WHERE_HWC = np.random.default_rng(1).random([6, 8, 3]).astype(np.float32)


def lopsided(image_BHWC: tf.Tensor) -> tf.Tensor:
    """A network whose answer depends on where in the picture a pixel is."""
    return tf.nn.softmax(image_BHWC * WHERE_HWC * 5)


def per_pixel(image_BHWC: tf.Tensor) -> tf.Tensor:
    return tf.nn.softmax(image_BHWC)


@pytest.mark.parametrize(
    ("flips", "axes"), [("none", [()]), ("horizontal", [(), (2,)]), ("both", [(), (2,), (1,), (1, 2)])]
)
def test_the_answer_is_the_mean_of_the_mirror_images_answers(flips: str, axes: list[tuple[int, ...]]) -> None:
    answers = [np.flip(lopsided(np.flip(IMAGE_BHWC, axis)).numpy(), axis) for axis in axes]
    averaged = with_test_time_augmentation(lopsided, flips)(tf.constant(IMAGE_BHWC))
    np.testing.assert_allclose(averaged, np.mean(answers, axis=0), rtol=1e-6)


@pytest.mark.parametrize("flips", ["none", "horizontal", "both"])
def test_a_network_that_does_not_mind_being_mirrored_answers_as_before(flips: str) -> None:
    averaged = with_test_time_augmentation(per_pixel, flips)(tf.constant(IMAGE_BHWC))
    np.testing.assert_allclose(averaged, per_pixel(IMAGE_BHWC), rtol=1e-6)
