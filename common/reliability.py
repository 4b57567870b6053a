"""How right a network is at which confidence, counted in the graph, so that no map of confidences leaves it."""

from __future__ import annotations

import tensorflow as tf

from common.records import VOID
from common.signatures import CONFIDENCE_BINS, RELIABILITY_SUMS

CHUNK = 2**20
"""Pixels that are counted at a time; the working memory is some 60 bytes for each."""
_UNIT = 2.0**32
"""Confidences are added as whole numbers of 1/`_UNIT`, because `bincount` adds in an order that differs by run."""


def reliability_sums(truth_HW: tf.Tensor, class_HW: tf.Tensor, confidence_HW: tf.Tensor, num_classes: int) -> tf.Tensor:
    """Returns the sums `RELIABILITY_SUMS` [C, CONFIDENCE_BINS, R], float64, by predicted class and bin of confidence.

    The bins are those of Guo et al. 2017 ("On Calibration of Modern Neural Networks", section 2): each includes its
    upper bound.

    Args:
        truth_HW: class indices or void, uint8; void pixels do not count.
        class_HW: predicted class indices 0…C−1, uint8.
        confidence_HW: probability of the predicted class, float32.
        num_classes: C.
    """
    truth_N, class_N, confidence_N = (tf.reshape(each_HW, [-1]) for each_HW in (truth_HW, class_HW, confidence_HW))

    def add(first: tf.Tensor, sums_CMR: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        end = first + CHUNK
        return end, sums_CMR + _sums(truth_N[first:end], class_N[first:end], confidence_N[first:end], num_classes)

    _, sums_CMR = tf.while_loop(
        lambda first, _: first < tf.size(truth_N),
        add,
        (tf.constant(0), tf.zeros([num_classes, CONFIDENCE_BINS, len(RELIABILITY_SUMS)], tf.int64)),
        parallel_iterations=1,
    )
    return tf.cast(sums_CMR, tf.float64) / [1.0, 1.0, _UNIT, _UNIT]


def _sums(truth_N: tf.Tensor, class_N: tf.Tensor, confidence_N: tf.Tensor, num_classes: int) -> tf.Tensor:
    places = num_classes * CONFIDENCE_BINS
    bin_N = tf.cast(tf.math.ceil(confidence_N * CONFIDENCE_BINS), tf.int32) - 1
    bin_N = tf.clip_by_value(bin_N, 0, CONFIDENCE_BINS - 1)  # Averages of probabilities exceed 1 by rounding.
    place_N = tf.where(truth_N == VOID, places, tf.cast(class_N, tf.int32) * CONFIDENCE_BINS + bin_N)
    confidence_N = tf.cast(confidence_N, tf.float64)
    right_N = tf.cast(truth_N == class_N, tf.float64)

    def added_up(value_N: tf.Tensor) -> tf.Tensor:
        whole_N = tf.cast(tf.round(value_N), tf.int64)
        return tf.math.bincount(place_N, whole_N, minlength=places + 1, maxlength=places + 1)[:places]

    squared_N = tf.square(confidence_N - right_N)
    values = (tf.ones_like(right_N), right_N, _UNIT * confidence_N, _UNIT * squared_N)
    sums_NR = tf.stack([added_up(value_N) for value_N in values], axis=-1)
    return tf.reshape(sums_NR, [num_classes, CONFIDENCE_BINS, len(values)])
