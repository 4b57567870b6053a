"""The soft Jaccard loss (Rahman and Wang, "Optimizing Intersection-Over-Union", 2016)."""

from __future__ import annotations

from typing import Literal

from components.trainer.lazy_tensorflow import tf
from components.trainer.losses.overlap import soft_overlap, tversky_index_C
from components.trainer.losses.pixels import mean_over_present
from components.trainer.losses.term import Term


class JaccardTerm(Term):
    """1 − the soft IoU, mean over the classes that the batch's truth holds."""

    type: Literal["jaccard"] = "jaccard"

    def loss(self, mask_BHW: tf.Tensor, logits_BHWK: tf.Tensor, class_weight_C: tf.Tensor) -> tf.Tensor:
        """Returns `jaccard`, which takes no class weights."""
        return jaccard(mask_BHW, logits_BHWK)


def jaccard(mask_BHW: tf.Tensor, logits_BHWK: tf.Tensor) -> tf.Tensor:
    """1 − hit / (hit + false + missed), mean over the classes present: Tversky's with α = β = 1."""
    overlap = soft_overlap(mask_BHW, logits_BHWK)
    return mean_over_present(1 - tversky_index_C(overlap, 1.0, 1.0), overlap.present_C)
