"""Precision-recall and ROC curves of each class, from counts of probabilities by bin."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

THRESHOLDS = 201
"""Evenly distributed in 0…1, both included."""

Counts = npt.NDArray[np.float64]


class Curve(NamedTuple):
    """Counts of one class against all others, at each threshold: a pixel is positive from the threshold on."""

    true_positive_T: Counts
    false_positive_T: Counts
    true_negative_T: Counts
    false_negative_T: Counts

    @property
    def precision_T(self) -> Counts:
        """TP / (TP + FP); 1 where nothing is predicted, as scikit-learn's `precision_recall_curve` has it."""
        predicted_T = self.true_positive_T + self.false_positive_T
        return np.divide(self.true_positive_T, predicted_T, out=np.ones_like(predicted_T), where=predicted_T > 0)

    @property
    def recall_T(self) -> Counts:
        """TP / (TP + FN), the true-positive rate; 0 for a class that does not occur."""
        return _share(self.true_positive_T, self.false_negative_T)

    @property
    def false_positive_rate_T(self) -> Counts:
        """FP / (FP + TN); 0 where every pixel is of the class."""
        return _share(self.false_positive_T, self.true_negative_T)

    @property
    def area_under_roc(self) -> float:
        """By trapezoids over the thresholds."""
        rising = slice(None, None, -1)
        rate_T, recall_T = self.false_positive_rate_T[rising], self.recall_T[rising]
        return float(np.sum(np.diff(rate_T, prepend=0.0) * (recall_T + np.concatenate([[0.0], recall_T[:-1]])) / 2))


def curve(positive_T: Counts, negative_T: Counts) -> Curve:
    """Returns the curve from the number of pixels, of the class and of others, by the highest threshold they reach."""
    true_positive_T, false_positive_T = _from_here(positive_T), _from_here(negative_T)
    return Curve(
        true_positive_T,
        false_positive_T,
        negative_T.sum() - false_positive_T,
        positive_T.sum() - true_positive_T,
    )


def _from_here(number_T: Counts) -> Counts:
    return np.cumsum(number_T[::-1])[::-1]


def _share(part_T: Counts, rest_T: Counts) -> Counts:
    whole_T = part_T + rest_T
    return np.divide(part_T, whole_T, out=np.zeros_like(whole_T), where=whole_T > 0)
