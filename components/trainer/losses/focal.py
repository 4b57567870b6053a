"""The focal loss of Lin et al., "Focal Loss for Dense Object Detection" (2017)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from components.trainer.lazy_tensorflow import tf
from components.trainer.losses.cross_entropy import cross_entropy_BHW
from components.trainer.losses.pixels import pixel_weights_BHW, weighted_mean
from components.trainer.losses.term import Term

_LEAST = 1e-12  # Below it the slope of the power would be infinite for γ < 1, and its product with 0 NaN.


class FocalTerm(Term):
    """Weighted cross-entropy in which sure pixels count less (Lin et al. 2017)."""

    type: Literal["focal"] = "focal"
    gamma: float = Field(default=2.0, ge=0, le=10, description="How much less; 0 makes it the cross-entropy.")
    weighted = True

    def loss(self, mask_BHW: tf.Tensor, logits_BHWK: tf.Tensor, class_weight_C: tf.Tensor) -> tf.Tensor:
        """Returns `focal` with its exponent."""
        return focal(mask_BHW, logits_BHWK, class_weight_C, self.gamma)


def focal(mask_BHW: tf.Tensor, logits_BHWK: tf.Tensor, class_weight_C: tf.Tensor, gamma: float) -> tf.Tensor:
    """Σ w·(1 − p)^γ·ce / Σ w over the pixels of the batch, p being the probability of the true class.

    The weights are the paper's α.  The paper divides by the number of objects; an image has none, so this divides
    by the weights, and γ = 0 is the cross-entropy.
    """
    ce_BHW = cross_entropy_BHW(mask_BHW, logits_BHWK)
    doubt_BHW = tf.maximum(-tf.math.expm1(-ce_BHW), _LEAST)  # 1 − p, exact where p is nearly 1.
    return weighted_mean(tf.pow(doubt_BHW, gamma) * ce_BHW, pixel_weights_BHW(mask_BHW, class_weight_C))
