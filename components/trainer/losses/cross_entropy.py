"""Cross-entropy, binary on one logit and categorical on several."""

from __future__ import annotations

import tensorflow as tf

from common.records import VOID
from components.trainer.losses.pixels import pixel_weights_BHW, weighted_mean


def cross_entropy(
    mask_BHW: tf.Tensor, logits_BHWK: tf.Tensor, class_weight_C: tf.Tensor, label_smoothing: float = 0.0
) -> tf.Tensor:
    """Σ w·ce / Σ w over the pixels of the batch, w being the weight of the true class and 0 for void."""
    ce_BHW = cross_entropy_BHW(mask_BHW, logits_BHWK, label_smoothing)
    return weighted_mean(ce_BHW, pixel_weights_BHW(mask_BHW, class_weight_C))


def cross_entropy_BHW(mask_BHW: tf.Tensor, logits_BHWK: tf.Tensor, label_smoothing: float = 0.0) -> tf.Tensor:
    """The cross-entropy of each pixel in nats; what it is where the truth is void has no meaning.

    With label smoothing ε (Szegedy et al. 2016) the truth is 1 − ε + ε/C at its class and ε/C at each other one.
    """
    truth_BHW = tf.where(mask_BHW == VOID, tf.zeros_like(mask_BHW), mask_BHW)
    if logits_BHWK.shape[-1] == 1:
        target_BHW = tf.cast(truth_BHW, tf.float32) * (1 - label_smoothing) + label_smoothing / 2
        return tf.nn.sigmoid_cross_entropy_with_logits(target_BHW, logits_BHWK[..., 0])
    ce_BHW = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(truth_BHW, tf.int32), logits_BHWK)
    if not label_smoothing:
        return ce_BHW
    evenly_BHW = tf.reduce_logsumexp(logits_BHWK, axis=-1) - tf.reduce_mean(logits_BHWK, axis=-1)
    return (1 - label_smoothing) * ce_BHW + label_smoothing * evenly_BHW
