"""How far probabilities and truth overlap, class by class: what Dice, Jaccard and Tversky are ratios of."""

from __future__ import annotations

from typing import NamedTuple

from components.trainer.lazy_tensorflow import tf
from components.trainer.losses.pixels import num_classes, one_hot_BHWC
from components.trainer.predictions import probabilities_BHWC


class Overlap(NamedTuple):
    """Soft counts of the pixels of a batch, each [C], void ones left out."""

    hit_C: tf.Tensor
    """Σ p over the pixels of the class."""
    false_C: tf.Tensor
    """Σ p over the pixels of other classes."""
    missed_C: tf.Tensor
    """Σ 1 − p over the pixels of the class."""

    @property
    def present_C(self) -> tf.Tensor:
        """Whether the truth holds the class."""
        return self.hit_C + self.missed_C > 0


def soft_overlap(mask_BHW: tf.Tensor, logits_BHWK: tf.Tensor) -> Overlap:
    """Counted over the whole batch, so that a class that a picture has little of is not judged by that little.

    One logit is two classes like any others: where no pixel is foreground, false foreground still is missed background.
    """
    probability_BHWC = probabilities_BHWC(logits_BHWK)
    truth_BHWC = one_hot_BHWC(mask_BHW, num_classes(logits_BHWK))
    counts_BHW1 = tf.reduce_sum(truth_BHWC, axis=-1, keepdims=True)  # 0 where void, else 1
    hit_C = tf.reduce_sum(probability_BHWC * truth_BHWC, axis=[0, 1, 2])
    predicted_C = tf.reduce_sum(probability_BHWC * counts_BHW1, axis=[0, 1, 2])
    truth_C = tf.reduce_sum(truth_BHWC, axis=[0, 1, 2])
    return Overlap(hit_C, predicted_C - hit_C, truth_C - hit_C)


def tversky_index_C(overlap: Overlap, alpha: float, beta: float) -> tf.Tensor:
    """hit / (hit + α·false + β·missed) of each class: 1 at best, 0 where nothing is hit."""
    whole_C = overlap.hit_C + alpha * overlap.false_C + beta * overlap.missed_C
    return tf.math.divide_no_nan(overlap.hit_C, whole_C)
