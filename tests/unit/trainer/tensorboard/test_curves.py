"""Precision-recall and ROC curves from counts of probabilities."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from common.records import VOID
from components.trainer.tensorboard.counting import count_probabilities
from components.trainer.tensorboard.curves import THRESHOLDS, Curve, curve

BINS = st.lists(st.tuples(st.integers(0, THRESHOLDS - 1), st.booleans()), min_size=1, max_size=60)


def curve_of(bins_and_truth: list[tuple[int, bool]]) -> Curve:
    positive_T, negative_T = np.zeros(THRESHOLDS), np.zeros(THRESHOLDS)
    for reached, truth in bins_and_truth:
        (positive_T if truth else negative_T)[reached] += 1
    return curve(positive_T, negative_T)


@given(BINS)
def test_each_pixel_counts_once_at_each_threshold(bins_and_truth: list[tuple[int, bool]]) -> None:
    found = curve_of(bins_and_truth)
    for index in (0, 1, THRESHOLDS // 2, THRESHOLDS - 1):
        predicted = [reached >= index for reached, _ in bins_and_truth]
        truth = [truth for _, truth in bins_and_truth]
        pairs = list(zip(predicted, truth, strict=True))
        assert found.true_positive_T[index] == pairs.count((True, True))
        assert found.false_positive_T[index] == pairs.count((True, False))
        assert found.false_negative_T[index] == pairs.count((False, True))
        assert found.true_negative_T[index] == pairs.count((False, False))


@settings(deadline=None)
@given(BINS)
def test_the_area_is_scikit_learns(bins_and_truth: list[tuple[int, bool]]) -> None:
    truth = [truth for _, truth in bins_and_truth]
    if len(set(truth)) == 2:
        expected = metrics.roc_auc_score(truth, [reached for reached, _ in bins_and_truth])
        assert curve_of(bins_and_truth).area_under_roc == pytest.approx(expected)


def test_a_class_that_does_not_occur_has_no_recall() -> None:
    found = curve_of([(100, False)])
    assert not found.recall_T.any()
    assert found.precision_T[-1] == 1 and found.precision_T[0] == 0


@pytest.mark.parametrize("channels", [1, 2])
def test_probabilities_are_counted_by_class_and_bin_without_void(channels: int) -> None:
    image = keras.Input((1, 4, channels))
    network = keras.Model(image, image)  # The image is its own logits.
    probability = np.array([0.1025, 0.6025, 0.998, 0.3])
    logit_P = np.log(probability / (1 - probability))
    logits = logit_P[:, None] if channels == 1 else np.stack([np.zeros(4), logit_P], axis=1)
    mask = np.array([[[0, 1, 1, VOID]]], np.uint8)
    batches = tf.data.Dataset.from_tensors((logits.reshape(1, 1, 4, channels).astype(np.float32), mask))
    counts = count_probabilities(network, batches.concatenate(batches), 2)
    assert counts.shape == (2, 2, THRESHOLDS) and counts.sum() == 2 * 2 * 3
    negative_T, positive_T = counts[1]
    assert negative_T[20] == 2 and positive_T[120] == 2 and positive_T[199] == 2
    assert counts[0, 1, 179] == 2  # The first pixel is class 0, with probability 0.8975.
