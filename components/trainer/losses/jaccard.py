"""The soft Jaccard loss (Rahman and Wang, "Optimizing Intersection-Over-Union", 2016)."""

from __future__ import annotations

import tensorflow as tf

from components.trainer.losses.overlap import soft_overlap, tversky_index_C
from components.trainer.losses.pixels import mean_over_present


def jaccard(mask_BHW: tf.Tensor, logits_BHWK: tf.Tensor) -> tf.Tensor:
    """1 − hit / (hit + false + missed), mean over the classes present: Tversky's with α = β = 1."""
    overlap = soft_overlap(mask_BHW, logits_BHWK)
    return mean_over_present(1 - tversky_index_C(overlap, 1.0, 1.0), overlap.present_C)
