"""Confusion matrices computed in the graph, so that an evaluation reads C² numbers per image instead of its pixels."""

from __future__ import annotations

import tensorflow as tf

from common.records import VOID

INDICES = 256
"""Values that a pixel of an index mask can have."""


def confusion_counts_BCC(truth_BHW: tf.Tensor, prediction_BHW: tf.Tensor, num_classes: int) -> tf.Tensor:
    """Returns pixel counts [B, C, C], int64, indexed [truth][prediction]; void pixels of the truth are ignored.

    One `bincount` over the batch: pixel (t, p) of an image goes to bin t·C + p.  Void gets its own row, which is
    cut off, as does every other index of the truth that is not a class: the counts show whether there was one.

    Args:
        truth_BHW: class indices or void, uint8.
        prediction_BHW: class indices 0…C−1; int32 is fastest.
        num_classes: C.

    Raises:
        tf.errors.InvalidArgumentError: an index is neither a class nor, in the truth, void.
    """
    truth = tf.cast(truth_BHW, tf.int32)
    prediction = tf.cast(prediction_BHW, tf.int32)
    bins = tf.reshape(truth * num_classes + prediction, [tf.shape(truth)[0], -1])
    size = INDICES * num_classes
    counts = tf.math.bincount(bins, minlength=size, maxlength=size, dtype=tf.int64, axis=-1)
    counts_BTP = tf.reshape(counts, [-1, INDICES, num_classes])
    strays = tf.reduce_sum(counts_BTP[:, num_classes:VOID])
    # Negative numbers are large as unsigned ones, so one comparison finds indices below and above the classes.
    beyond = tf.reduce_any(tf.bitcast(prediction, tf.uint32) >= num_classes)
    check = tf.debugging.Assert(
        ~beyond & (strays == 0), ["a pixel has an index beyond the classes; in the ground truth:", strays]
    )
    with tf.control_dependencies([check]):
        return counts_BTP[:, :num_classes]
