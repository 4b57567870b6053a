"""Losses on logits, blind to void pixels.

Truth is `mask_BHW` uint8 with classes 0…C−1 and void; predictions are `logits_BHWK`, K = 1 under a sigmoid or K = C
under a softmax.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tf_keras as keras

from components.records import VOID


def cross_entropy_BHW(mask_BHW: tf.Tensor, logits_BHWK: tf.Tensor) -> tf.Tensor:
    """The cross-entropy of each pixel in nats; what it is where the truth is void has no meaning."""
    truth_BHW = tf.where(mask_BHW == VOID, tf.zeros_like(mask_BHW), mask_BHW)
    if logits_BHWK.shape[-1] == 1:
        return tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(truth_BHW, logits_BHWK.dtype), logits_BHWK[..., 0])
    return tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(truth_BHW, tf.int32), logits_BHWK)


def pixel_weights_BHW(mask_BHW: tf.Tensor, class_weight_C: tf.Tensor) -> tf.Tensor:
    """The weight of each pixel: that of its class, and 0 where it is void."""
    by_value = tf.concat([class_weight_C, tf.zeros([VOID + 1 - tf.shape(class_weight_C)[0]])], axis=0)
    return tf.gather(by_value, tf.cast(mask_BHW, tf.int32))


class WeightedCrossEntropy(keras.losses.Loss):
    """Σ w·ce / Σ w over the pixels of the batch, w being the weight of the true class and 0 for void.

    Dividing by the sum of the weights, as PyTorch's `CrossEntropyLoss(weight=…)` does, keeps the size of a step from
    depending on which classes a batch happens to hold.
    """

    def __init__(self, class_weight_C: np.ndarray, name: str = "cross_entropy") -> None:
        super().__init__(name=name)
        self._class_weight_C = np.asarray(class_weight_C, np.float32)

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """The loss of a batch: a scalar, 0 where everything is void."""
        weight_BHW = pixel_weights_BHW(y_true, tf.constant(self._class_weight_C))
        weighted_BHW = weight_BHW * cross_entropy_BHW(y_true, y_pred)
        return tf.math.divide_no_nan(tf.reduce_sum(weighted_BHW), tf.reduce_sum(weight_BHW))
