"""The Tversky loss of Salehi et al., "Tversky loss function for image segmentation" (2017)."""

from __future__ import annotations

import tensorflow as tf

from components.trainer.losses.overlap import soft_overlap, tversky_index_C
from components.trainer.losses.pixels import mean_over_present


def tversky(mask_BHW: tf.Tensor, logits_BHWK: tf.Tensor, alpha: float, beta: float) -> tf.Tensor:
    """1 − hit / (hit + α·false + β·missed), mean over the classes present; β > α is after the missed pixels."""
    overlap = soft_overlap(mask_BHW, logits_BHWK)
    return mean_over_present(1 - tversky_index_C(overlap, alpha, beta), overlap.present_C)
