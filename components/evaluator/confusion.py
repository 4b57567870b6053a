"""Confusion counts in the graph, so that an evaluation reads C² numbers a picture instead of its pixels."""

from __future__ import annotations

import tensorflow as tf

from components.records import VOID

EVALUATE_SIGNATURE = "evaluate"
"""The signature of the exported model that turns records into confusion counts."""

EXAMPLES_INPUT = "examples"
"""Its input, string [B]: serialized records."""

CONFUSION_OUTPUT = "confusion"
"""Its output, int64 [B, C·C]: pixels counted as [truth][prediction] at the model's size."""


INDICES = 256
"""Values that a pixel of an index mask can have."""


def confusion_counts_BCC(truth_BHW: tf.Tensor, prediction_BHW: tf.Tensor, num_classes: int) -> tf.Tensor:
    """Pixels [B, C, C], int64, counted as [truth][prediction]; void pixels of the truth do not count.

    One `bincount` over the whole batch: pixel (b, t, p) goes to bin (256·b + t)·C + p.  Void has a row of its own,
    which is cut off, and so has every index that is no class: the counts show whether there was one, and no pixel has
    to be looked at twice.

    Args:
        truth_BHW: class indices or void; uint8 is fastest.
        prediction_BHW: class indices 0…C−1, any integer type.
        num_classes: C.

    Raises:
        tf.errors.InvalidArgumentError: an index is neither a class nor, in the truth, void.
    """
    truth, prediction = _within(truth_BHW, INDICES), _within(prediction_BHW, num_classes)
    batch = tf.shape(truth)[0]
    # int32 bins suffice for 32 000 pictures a batch at 255 classes.
    bins = (tf.range(batch)[:, None, None] * INDICES + truth) * num_classes + prediction
    size = batch * INDICES * num_classes
    counts = tf.math.bincount(tf.reshape(bins, [-1]), minlength=size, maxlength=size, dtype=tf.int64)
    counts_BTP = tf.reshape(counts, [-1, INDICES, num_classes])
    strays = tf.reduce_sum(counts_BTP[:, num_classes:VOID])
    with tf.control_dependencies([tf.debugging.Assert(strays == 0, ["pixels of the truth are beyond the classes:", strays])]):
        return counts_BTP[:, :num_classes]


def _within(indices: tf.Tensor, end: int) -> tf.Tensor:
    """The indices as int32, asserted to be 0…end−1 where their type does not say so."""
    indices = tf.convert_to_tensor(indices)
    if indices.dtype.min >= 0 and indices.dtype.max < end:
        return tf.cast(indices, tf.int32)
    low, high = tf.reduce_min(indices), tf.reduce_max(indices)
    # Of no pixels at all the minimum is the type's largest value.
    fits = tf.equal(tf.size(indices), 0) | ((low >= 0) & (high < tf.cast(end, indices.dtype)))
    with tf.control_dependencies([tf.debugging.Assert(fits, ["a pixel is beyond the classes:", low, high])]):
        return tf.cast(indices, tf.int32)
