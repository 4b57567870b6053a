"""The graph for arrays makes of an image what the graph for files makes of it, by plainer operations."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from components.trainer.inference.arrays import array_statistics, fit_to_input, resize_matrix
from components.transform.image_ops import placement, resize_image
from components.transform.picture_statistics import batch_statistics
from tests.support.transformed import NUM_CLASSES, png

SIZES = [(32, 32), (90, 33), (40, 56), (7, 300)]


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, [height, width, 3]).astype(np.uint8)


@pytest.mark.parametrize("aspect", ["stretch", "letterbox"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_resizing_by_matrices_is_that_of_tensorflow(size: tuple[int, int], aspect: str) -> None:
    image_HWC = noise(*size)
    place = placement(tf.constant(size), 32, 32, aspect)
    fitted = fit_to_input(tf.constant(image_HWC[np.newaxis]), place, (32, 32))[0].numpy()
    expected = resize_image(tf.constant(image_HWC), 32, 32, aspect).numpy().astype(np.float32)
    assert np.abs(fitted - expected).max() <= 1  # What lies halfway between two numbers may go to either.
    assert np.mean(fitted == expected) > 0.99


def test_floating_point_is_not_rounded() -> None:
    image_HWC = noise(50, 40).astype(np.float32) / 3
    fitted = fit_to_input(tf.constant(image_HWC[np.newaxis]), placement(tf.constant([50, 40]), 32, 32, ""), (32, 32))
    np.testing.assert_allclose(fitted[0], resize_image(tf.constant(image_HWC), 32, 32, "stretch"), atol=1e-4)


def test_the_weights_of_a_pixel_add_up_to_one_and_the_same_size_changes_nothing() -> None:
    for source, target in [(5, 9), (9, 5), (1, 4), (4, 1)]:
        np.testing.assert_allclose(tf.reduce_sum(resize_matrix(source, target), axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(resize_matrix(6, 6), np.eye(6, dtype=np.float32))


def test_statistics_are_those_of_exact_counts() -> None:
    image_BHWC = tf.constant(np.stack([noise(20, 30, seed) for seed in range(2)]))
    for found, expected in zip(
        array_statistics(tf.cast(image_BHWC, tf.float32)), batch_statistics(image_BHWC), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("of", "flips"),
    [
        ("transformed", "none"),
        ("by_picture", "horizontal"),
        pytest.param("letterboxed", "none", marks=pytest.mark.slow),  # Another transform graph.
    ],
)
def test_arrays_of_any_size_get_the_mask_of_the_file(  # type: ignore[no-untyped-def]
    exported, request: pytest.FixtureRequest, of: str, flips: str
) -> None:
    made = exported(request.getfixturevalue(of), flips=flips)
    images = np.stack([noise(40, 56, seed) for seed in range(2)])
    expected = made.serve(*(png(image) for image in images))["mask_bytes"]
    answer = made.served.serving_arrays(tf.constant(images))
    assert answer["probabilities"].shape == (2, 32, 32, NUM_CLASSES)
    for mask_HW, encoded in zip(answer["mask"].numpy(), expected, strict=True):
        assert np.mean(mask_HW == np.asarray(Image.open(io.BytesIO(encoded)))) > 0.99


def test_the_model_s_own_size_needs_no_resizing(exported) -> None:  # type: ignore[no-untyped-def]
    made = exported()
    images = tf.constant(np.stack([noise(32, 32, seed) for seed in range(2)]))
    np.testing.assert_allclose(
        made.served.serving_inputs(images)["probabilities"],
        made.served.serving_arrays(images)["probabilities"],
        atol=1e-5,
    )
