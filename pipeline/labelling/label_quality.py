"""Label quality of a mask: how well a model's probabilities agree with the labels that its pixels have.

The score of a pixel is the probability of its label, and the score of an image is their soft minimum: the mean, with
weights ∝ exp((1 − score) / T).  It is the method "softmin" that Lad & Mueller found best among those that they compared
(Estimating label quality and errors in semantic segmentation data via any model, ICML 2023 workshop, arXiv:2307.05080),
and has the numbers of cleanlab's `segmentation.rank.get_label_quality_scores`.  0: some pixels certainly have a wrong
label; 1: the model agrees everywhere.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

TEMPERATURE = 0.1
"""T, cleanlab's default: a pixel of score 0 weighs e¹⁰ as much as one of score 1."""


def soft_minimum(score_N: npt.NDArray[np.floating], temperature: float = TEMPERATURE) -> float:
    """Returns the soft minimum of scores, of which there is one at least."""
    scores = score_N.astype(np.float64)
    weights = np.exp((scores.min() - scores) / temperature)
    return float(scores @ weights / weights.sum())
