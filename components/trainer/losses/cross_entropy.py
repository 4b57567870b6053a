"""Cross-entropy, binary on one logit and categorical on several."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from common.records import VOID
from components.trainer.lazy_tensorflow import tf
from components.trainer.losses.pixels import pixel_weights_BHW, weighted_mean
from components.trainer.losses.term import Term


class CrossEntropyTerm(Term):
    """Weighted cross-entropy: binary on the one logit that stands for two classes, categorical on several."""

    type: Literal["cross_entropy"] = "cross_entropy"
    label_smoothing: float = Field(
        default=0.0, ge=0, lt=1, description="Share of the truth that is spread evenly over all classes."
    )
    weighted = True

    def loss(self, mask_BHW: tf.Tensor, logits_BHWK: tf.Tensor, class_weight_C: tf.Tensor) -> tf.Tensor:
        """Returns `cross_entropy` with its label smoothing."""
        return cross_entropy(mask_BHW, logits_BHWK, class_weight_C, self.label_smoothing)


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
