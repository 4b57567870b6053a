"""The Dice loss (Milletari et al., "V-Net", 2016, with plain sums instead of squares)."""

from __future__ import annotations

import tensorflow as tf

from components.trainer.losses.overlap import soft_overlap, tversky_index_C
from components.trainer.losses.pixels import mean_over_present


def dice(mask_BHW: tf.Tensor, logits_BHWK: tf.Tensor) -> tf.Tensor:
    """1 − 2·hit / (2·hit + false + missed), mean over the classes present: Tversky's with α = β = ½."""
    overlap = soft_overlap(mask_BHW, logits_BHWK)
    return mean_over_present(1 - tversky_index_C(overlap, 0.5, 0.5), overlap.present_C)
