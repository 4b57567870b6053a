"""The focal loss of Lin et al., "Focal Loss for Dense Object Detection" (2017)."""

from __future__ import annotations

import tensorflow as tf

from components.trainer.losses.cross_entropy import cross_entropy_BHW
from components.trainer.losses.pixels import pixel_weights_BHW, weighted_mean

_LEAST = 1e-12  # Below it the power's slope would be infinite for γ < 1, and its product with 0 no number.


def focal(mask_BHW: tf.Tensor, logits_BHWK: tf.Tensor, class_weight_C: tf.Tensor, gamma: float) -> tf.Tensor:
    """Σ w·(1 − p)^γ·ce / Σ w over the pixels of the batch, p being the probability of the true class.

    The weights are the paper's α.  The paper divides by the number of objects; a picture has none, so the weights are
    what is divided by, and γ = 0 is the cross-entropy.
    """
    ce_BHW = cross_entropy_BHW(mask_BHW, logits_BHWK)
    doubt_BHW = tf.maximum(-tf.math.expm1(-ce_BHW), _LEAST)  # 1 − p, exact where p is nearly 1.
    return weighted_mean(tf.pow(doubt_BHW, gamma) * ce_BHW, pixel_weights_BHW(mask_BHW, class_weight_C))
