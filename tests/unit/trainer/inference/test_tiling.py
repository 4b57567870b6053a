"""The sliding window, against one written in NumPy."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from common.records import VOID
from common.reliability import reliability_sums
from components.trainer.inference.config import InferenceConfig
from components.trainer.inference.tiling import decide_in_tiles, judge_in_tiles, tiled_size

CLASSES = 4
TILE = (16, 24)
RANDOM = np.random.default_rng(0)
MIX = RANDOM.normal(size=[3, CLASSES]).astype(np.float32)
WHERE_HWC = RANDOM.normal(size=[*TILE, CLASSES]).astype(np.float32)


def lopsided(image_BHWC: tf.Tensor) -> tf.Tensor:
    """A network that minds where in a tile a pixel is, so that a misplaced tile shows."""
    return tf.nn.softmax(tf.cast(image_BHWC, tf.float32) / 64 @ MIX + WHERE_HWC)


def per_pixel(image_BHWC: tf.Tensor) -> tf.Tensor:
    return tf.nn.softmax(tf.cast(image_BHWC, tf.float32) / 64 @ MIX)


def constant(image_BHWC: tf.Tensor) -> tf.Tensor:
    shape = tf.concat([tf.shape(image_BHWC)[:3], [CLASSES]], axis=0)
    return tf.broadcast_to(tf.constant([0.1, 0.2, 0.6, 0.1]), shape)


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height * 1000 + width).integers(0, 256, [height, width, 3]).astype(np.uint8)


@functools.cache
def deciding(network: Callable[[tf.Tensor], tf.Tensor], **settings: object) -> Callable[[np.ndarray], tuple]:
    config = InferenceConfig(mode="tile", **settings)

    @tf.function(input_signature=[tf.TensorSpec([None, None, 3], tf.uint8)])
    def decide(image_HWC: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return decide_in_tiles(image_HWC, network, TILE, CLASSES, config)

    def decide_numpy(image_HWC: np.ndarray) -> tuple[np.ndarray, float]:
        decided = decide(tf.constant(image_HWC))
        return decided[0].numpy(), float(decided[1])

    return decide_numpy


@functools.cache
def judging(scale: float) -> Callable[[np.ndarray, np.ndarray], tuple[tf.Tensor, tf.Tensor]]:
    config = InferenceConfig(mode="tile", overlap=0.5, scale=scale)

    @tf.function(input_signature=[tf.TensorSpec([None, None, 3], tf.uint8), tf.TensorSpec([None, None], tf.uint8)])
    def judge(image_HWC: tf.Tensor, truth_HW: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return judge_in_tiles(image_HWC, truth_HW, lopsided, TILE, CLASSES, config)

    return judge


def reference(image_HWC: np.ndarray, overlap: float) -> np.ndarray:
    """Blended probabilities [H, W, C] of `lopsided`, one tile after the other, weights in two dimensions."""
    size = image_HWC.shape[:2]
    margins = [max(0, tile - n) // 2 for n, tile in zip(size, TILE, strict=True)]
    padded = image_HWC
    for axis, (margin, tile) in enumerate(zip(margins, TILE, strict=True)):
        there_and_back = np.concatenate([padded, np.flip(padded, axis)], axis)
        padded = there_and_back.take(np.arange(-margin, max(size[axis], tile) - margin), axis, mode="wrap")
    gaussians = [np.exp(-0.5 * ((np.arange(tile) - (tile - 1) / 2) / (tile / 8)) ** 2) for tile in TILE]
    weight_HW1 = np.outer(*gaussians)[..., None]
    total, weights = np.zeros([*padded.shape[:2], CLASSES]), np.zeros([*padded.shape[:2], 1])
    for top in reference_starts(padded.shape[0], TILE[0], overlap):
        for left in reference_starts(padded.shape[1], TILE[1], overlap):
            window = np.s_[top : top + TILE[0], left : left + TILE[1]]
            total[window] += weight_HW1 * lopsided(padded[window][None]).numpy()[0]
            weights[window] += weight_HW1
    blended = total / weights
    return blended[margins[0] :, margins[1] :][: size[0], : size[1]]


def reference_starts(length: int, tile: int, overlap: float) -> list[int]:
    stride = round(tile * (1 - overlap))
    count = -(-(length - tile) // stride) + 1
    return [int(i * (length - tile) / max(count - 1, 1) + 0.5) for i in range(count)]


OVERLAPS = {overlap: deciding(lopsided, overlap=overlap, batch=3) for overlap in (0.0, 0.25, 0.5, 0.75)}


@given(st.integers(1, 90), st.integers(1, 90), st.sampled_from(sorted(OVERLAPS)))
@settings(max_examples=60, deadline=None)
def test_any_picture_is_answered_as_by_the_sliding_window_in_numpy(height: int, width: int, overlap: float) -> None:
    image_HWC = picture(height, width)
    class_HW, confidence = OVERLAPS[overlap](image_HWC)
    expected_HWC = reference(image_HWC, overlap)
    assert class_HW.shape == (height, width)
    assert class_HW.dtype == np.uint8
    ordered = np.sort(expected_HWC, axis=-1)
    clear = ordered[..., -1] - ordered[..., -2] > 1e-5
    np.testing.assert_array_equal(class_HW[clear], expected_HWC.argmax(-1)[clear])
    assert confidence == pytest.approx(ordered[..., -1].mean(), rel=1e-4)


@pytest.mark.parametrize("overlap", [0.0, 0.3, 0.75])
@pytest.mark.parametrize("size", [(5, 7), (16, 24), (17, 100), (100, 25), (64, 64)])
def test_a_network_that_sees_single_pixels_answers_as_it_would_untiled(size: tuple[int, int], overlap: float) -> None:
    image_HWC = picture(*size)
    class_HW, _ = deciding(per_pixel, overlap=overlap)(image_HWC)
    np.testing.assert_array_equal(class_HW, per_pixel(image_HWC[None]).numpy()[0].argmax(-1))


@pytest.mark.parametrize("scale", [0.3, 0.5, 1.0, 1.7, 2.0])
@pytest.mark.parametrize("size", [(1, 1), (16, 24), (70, 33), (33, 70), (200, 11)])
def test_a_constant_answer_stays_constant_everywhere(size: tuple[int, int], scale: float) -> None:
    class_HW, confidence = deciding(constant, overlap=0.4, scale=scale)(picture(*size))
    assert class_HW.shape == size
    assert (class_HW == 2).all()
    assert confidence == pytest.approx(0.6, rel=1e-5)


@pytest.mark.parametrize("scale", [0.3, 0.5, 1.3, 2.0])
@pytest.mark.parametrize("size", [(3, 5), (16, 24), (101, 64), (90, 150)])
def test_at_another_scale_probabilities_are_interpolated_as_if_in_one_piece(
    size: tuple[int, int], scale: float
) -> None:
    image_HWC = picture(*size)
    class_HW, confidence = deciding(lopsided, overlap=0.5, scale=scale)(image_HWC)
    scaled = [max(1, round(n * scale)) for n in size]
    small_HWC = np.clip(np.round(tf.image.resize(image_HWC, scaled, antialias=True)), 0, 255).astype(np.uint8)
    expected_HWC = tf.image.resize(reference(small_HWC, 0.5), size).numpy()
    ordered = np.sort(expected_HWC, axis=-1)
    clear = ordered[..., -1] - ordered[..., -2] > 1e-4
    np.testing.assert_array_equal(class_HW[clear], expected_HWC.argmax(-1)[clear])
    assert confidence == pytest.approx(ordered[..., -1].mean(), rel=1e-4)


@pytest.mark.parametrize("scale", [1.0, 0.7])
@pytest.mark.parametrize("size", [(5, 7), (50, 120), (101, 30)])
def test_confidence_is_compared_with_the_truth_band_by_band_as_in_one_piece(
    size: tuple[int, int], scale: float
) -> None:
    image_HWC = picture(*size)
    truth_HW = np.random.default_rng(1).integers(0, CLASSES, size).astype(np.uint8)
    truth_HW[0] = VOID
    class_HW, found_CMR = judging(scale)(image_HWC, truth_HW)
    np.testing.assert_array_equal(class_HW, deciding(lopsided, overlap=0.5, scale=scale)(image_HWC)[0])
    scaled = [max(1, round(n * scale)) for n in size]
    small_HWC = np.clip(np.round(tf.image.resize(image_HWC, scaled, antialias=True)), 0, 255).astype(np.uint8)
    probabilities_HWC = tf.image.resize(reference(small_HWC, 0.5), size).numpy()
    expected_CMR = reliability_sums(truth_HW, class_HW, probabilities_HWC.max(-1).astype("f4"), CLASSES).numpy()
    np.testing.assert_allclose(found_CMR.numpy().sum(axis=1), expected_CMR.sum(axis=1), rtol=1e-4, atol=1e-4)
    # A confidence that rounding moves over a bound is in the next bin.
    assert np.abs(found_CMR - expected_CMR)[..., 0].sum() <= 2 + truth_HW.size * 1e-3


@pytest.mark.parametrize("batch", [1, 2, 100])
def test_how_many_tiles_go_at_a_time_changes_nothing(batch: int) -> None:
    image_HWC = picture(50, 120)
    class_HW, _ = deciding(lopsided, overlap=0.5, batch=batch)(image_HWC)
    np.testing.assert_array_equal(class_HW, OVERLAPS[0.5](image_HWC)[0])


def test_what_is_tiled_is_scaled_and_no_smaller_than_a_tile() -> None:
    assert tiled_size(tf.constant([100, 10]), TILE, 0.5).numpy().tolist() == [50, 24]
