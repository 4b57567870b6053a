"""What the losses share: which pixels count, and how much."""

from __future__ import annotations

from common.records import VOID
from components.trainer.lazy_tensorflow import tf


def num_classes(logits_BHWK: tf.Tensor) -> int:
    """C: one logit stands for two classes."""
    return max(2, logits_BHWK.shape[-1])


def one_hot_BHWC(mask_BHW: tf.Tensor, num_classes: int) -> tf.Tensor:
    """1 at the class of each pixel, float32; a void pixel has none."""
    return tf.one_hot(tf.cast(mask_BHW, tf.int32), num_classes)


def pixel_weights_BHW(mask_BHW: tf.Tensor, class_weight_C: tf.Tensor) -> tf.Tensor:
    """The weight of each pixel: that of its class, and 0 where it is void."""
    by_value = tf.concat([class_weight_C, tf.zeros([VOID + 1 - tf.shape(class_weight_C)[0]])], axis=0)
    return tf.gather(by_value, tf.cast(mask_BHW, tf.int32))


def weighted_mean(value_BHW: tf.Tensor, weight_BHW: tf.Tensor) -> tf.Tensor:
    """Σ w·v / Σ w, and 0 where nothing weighs anything.

    Dividing by the sum of the weights, as PyTorch's `CrossEntropyLoss(weight=…)` does, keeps the size of a step from
    depending on which classes a batch happens to hold.
    """
    return tf.math.divide_no_nan(tf.reduce_sum(weight_BHW * value_BHW), tf.reduce_sum(weight_BHW))


def mean_over_present(loss_C: tf.Tensor, present_C: tf.Tensor) -> tf.Tensor:
    """The mean over the classes that are present, and 0 where there is none."""
    counted_C = tf.where(present_C, loss_C, tf.zeros_like(loss_C))
    return tf.math.divide_no_nan(tf.reduce_sum(counted_C), tf.reduce_sum(tf.cast(present_C, tf.float32)))
