"""The Dice loss (Milletari et al., "V-Net", 2016, with plain sums instead of squares)."""

from __future__ import annotations

from typing import Literal

from components.trainer.lazy_tensorflow import tf
from components.trainer.losses.overlap import soft_overlap, tversky_index_C
from components.trainer.losses.pixels import mean_over_present
from components.trainer.losses.term import Term


class DiceTerm(Term):
    """1 − the soft Dice coefficient, mean over the classes that the batch's truth holds."""

    type: Literal["dice"] = "dice"

    def loss(self, mask_BHW: tf.Tensor, logits_BHWK: tf.Tensor, class_weight_C: tf.Tensor) -> tf.Tensor:
        """Returns `dice`, which takes no class weights."""
        return dice(mask_BHW, logits_BHWK)


def dice(mask_BHW: tf.Tensor, logits_BHWK: tf.Tensor) -> tf.Tensor:
    """1 − 2·hit / (2·hit + false + missed), mean over the classes present: Tversky's with α = β = ½."""
    overlap = soft_overlap(mask_BHW, logits_BHWK)
    return mean_over_present(1 - tversky_index_C(overlap, 0.5, 0.5), overlap.present_C)
