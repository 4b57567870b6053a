"""Counts the probabilities of a network over a dataset."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras as keras

from common.records import VOID
from components.trainer.predictions import probabilities_BHWC
from components.trainer.tensorboard.curves import THRESHOLDS


def count_probabilities(network: keras.Model, dataset: tf.data.Dataset, num_classes: int) -> npt.NDArray[np.float64]:
    """Returns [K, 2, T]: pixels of other classes, and of the class, by the highest threshold their probability reaches.

    `dataset` has batches (image_BHWC, mask_BHW); void pixels do not count.
    """
    total = np.zeros((num_classes, 2, THRESHOLDS))
    for image_BHWC, mask_BHW in dataset:
        total += _count(network, image_BHWC, mask_BHW, num_classes).numpy()
    return total


@tf.function(reduce_retracing=True)
def _count(network: keras.Model, image_BHWC: tf.Tensor, mask_BHW: tf.Tensor, num_classes: int) -> tf.Tensor:
    known_BHW = mask_BHW != VOID
    probability_PK = tf.boolean_mask(probabilities_BHWC(network(image_BHWC, training=False)), known_BHW)
    truth_P = tf.cast(tf.boolean_mask(mask_BHW, known_BHW), tf.int32)
    bin_PK = tf.cast(tf.floor(probability_PK * (THRESHOLDS - 1)), tf.int32)
    bin_PK = tf.clip_by_value(bin_PK, 0, THRESHOLDS - 1)
    class_K = tf.range(num_classes)
    is_class_PK = tf.cast(truth_P[:, tf.newaxis] == class_K, tf.int32)
    cell_PK = (class_K * 2 + is_class_PK) * THRESHOLDS + bin_PK
    size = num_classes * 2 * THRESHOLDS
    counts = tf.math.bincount(tf.reshape(cell_PK, [-1]), minlength=size, maxlength=size, dtype=tf.int64)
    return tf.cast(tf.reshape(counts, [num_classes, 2, THRESHOLDS]), tf.float64)
