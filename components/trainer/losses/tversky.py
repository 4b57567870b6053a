"""The Tversky loss of Salehi et al., "Tversky loss function for image segmentation" (2017)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from components.trainer.lazy_tensorflow import tf
from components.trainer.losses.overlap import soft_overlap, tversky_index_C
from components.trainer.losses.pixels import mean_over_present
from components.trainer.losses.term import Term


class TverskyTerm(Term):
    """1 − the soft Tversky index (Salehi et al. 2017), mean over the classes that the batch's truth holds."""

    type: Literal["tversky"] = "tversky"
    alpha: float = Field(default=0.3, ge=0, le=1, description="What a false positive weighs.")
    beta: float = Field(default=0.7, ge=0, le=1, description="What a missed pixel weighs.")

    def loss(self, mask_BHW: tf.Tensor, logits_BHWK: tf.Tensor, class_weight_C: tf.Tensor) -> tf.Tensor:
        """Returns `tversky` with its two weights; it takes no class weights."""
        return tversky(mask_BHW, logits_BHWK, self.alpha, self.beta)


def tversky(mask_BHW: tf.Tensor, logits_BHWK: tf.Tensor, alpha: float, beta: float) -> tf.Tensor:
    """1 − hit / (hit + α·false + β·missed), mean over the classes present; β > α penalises missed pixels more."""
    overlap = soft_overlap(mask_BHW, logits_BHWK)
    return mean_over_present(1 - tversky_index_C(overlap, alpha, beta), overlap.present_C)
