"""The metrics that are shown while training, against the NumPy reference of the evaluation."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from common.records import VOID
from components.evaluator import counts
from components.trainer.metrics import SegmentationMetrics


@given(st.integers(2, 5), st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_figures_are_those_of_the_summed_counts(num_classes: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    metric = SegmentationMetrics(num_classes)
    total_CC = np.zeros([num_classes, num_classes], np.int64)
    for _ in range(2):
        mask_BHW = random.integers(0, num_classes, [2, 4, 5]).astype(np.uint8)
        mask_BHW[random.random(mask_BHW.shape) < 0.2] = VOID
        logits = random.normal(size=[2, 4, 5, 1 if num_classes == 2 else num_classes]).astype(np.float32)
        metric.update_state(tf.constant(mask_BHW), tf.constant(logits))
        predicted = (logits[..., 0] > 0).astype(int) if num_classes == 2 else logits.argmax(-1)
        total_CC += counts.confusion_counts(mask_BHW, predicted, num_classes)
    result = {name: float(value) for name, value in metric.result().items()}
    assert result["mean_iou"] == pytest.approx(counts.mean_over_present(counts.iou(total_CC)))
    assert result["mean_dice"] == pytest.approx(counts.mean_over_present(counts.dice(total_CC)))
    assert result["pixel_accuracy"] == pytest.approx(counts.pixel_accuracy(total_CC))


def test_an_epoch_starts_from_nothing() -> None:
    metric = SegmentationMetrics(2)
    metric.update_state(tf.ones([1, 2, 2], tf.uint8), tf.ones([1, 2, 2, 1]))
    metric.reset_state()
    assert all(float(value) == 0 for value in metric.result().values())


def test_a_class_that_occurs_nowhere_does_not_pull_the_mean_down() -> None:
    metric = SegmentationMetrics(5)
    metric.update_state(tf.ones([1, 2, 2], tf.uint8), tf.one_hot(tf.ones([1, 2, 2], tf.int32), 5))
    assert float(metric.result()["mean_iou"]) == 1
