"""Sums of confidence and right pixels by class and bin, against their definition pixel by pixel."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from common import reliability
from common.records import VOID
from common.signatures import CONFIDENCE_BINS, RELIABILITY_SUMS

CLASSES = 3
Pixel = tuple[int, int, float]
CONFIDENCES = st.floats(0, 1, width=32) | st.integers(0, CONFIDENCE_BINS).map(lambda m: m / CONFIDENCE_BINS)
PIXELS = st.lists(
    st.tuples(st.sampled_from([*range(CLASSES), VOID]), st.integers(0, CLASSES - 1), CONFIDENCES), max_size=60
)


@tf.function(input_signature=[tf.TensorSpec([None], dtype) for dtype in (tf.uint8, tf.uint8, tf.float32)])
def sums_of(truth_N: tf.Tensor, class_N: tf.Tensor, confidence_N: tf.Tensor) -> tf.Tensor:
    return reliability.reliability_sums(truth_N[None], class_N[None], confidence_N[None], CLASSES)


def count(pixels: list[Pixel]) -> np.ndarray:
    truth, predicted, confidence = (list(column) for column in zip(*pixels, strict=True)) if pixels else ([], [], [])
    return sums_of(np.array(truth, "u1"), np.array(predicted, "u1"), np.array(confidence, "f4")).numpy()


def by_definition(pixels: list[Pixel]) -> np.ndarray:
    """Bin m has (m/60, (m + 1)/60]; the comparison is in float32, as of a bound that a float32 is."""
    sums_CMR = np.zeros([CLASSES, CONFIDENCE_BINS, len(RELIABILITY_SUMS)])
    for truth, predicted, confidence in pixels:
        if truth == VOID:
            continue
        m = max(0, math.ceil(np.float32(confidence) * np.float32(CONFIDENCE_BINS)) - 1)
        right = truth == predicted
        sums_CMR[predicted, m] += 1, right, confidence, (confidence - right) ** 2
    return sums_CMR


@settings(deadline=None)
@given(PIXELS)
def test_each_pixel_is_in_the_bin_of_its_confidence(pixels: list[Pixel]) -> None:
    np.testing.assert_allclose(count(pixels), by_definition(pixels), atol=1e-6)


@pytest.mark.parametrize(
    ("confidence", "m"), [(0.25, 14), (np.nextafter(np.float32(0.25), np.float32(1)), 15), (1.0, 59), (1.0000002, 59)]
)
def test_a_bin_has_its_upper_bound_and_rounding_leads_out_of_none(confidence: float, m: int) -> None:
    sums_CMR = count([(0, 0, confidence)])
    assert sums_CMR[0, m, 0] == 1 == sums_CMR[..., 0].sum()


def test_an_image_is_counted_in_chunks_with_the_same_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    truth, predicted = random.integers(0, CLASSES, (2, 40, 25)).astype(np.uint8)
    confidence = random.random((40, 25), np.float32)
    whole = reliability.reliability_sums(truth, predicted, confidence, CLASSES)
    monkeypatch.setattr(reliability, "CHUNK", 300)
    np.testing.assert_array_equal(reliability.reliability_sums(truth, predicted, confidence, CLASSES), whole)
