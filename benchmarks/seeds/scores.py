"""How good a prediction is: one matrix of counts by NumPy, the same for both sides."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from common.records import VOID


class Scores(NamedTuple):
    """Over all pixels of a split together, void ones left out."""

    mean_iou: float
    """Over the classes that occur in truth or prediction."""
    pixel_accuracy: float


def scores(truth_NHW: np.ndarray, predicted_NHW: np.ndarray, num_classes: int) -> Scores:
    """IoU = TP / (TP + FP + FN), and the share of pixels that are right."""
    counted = truth_NHW != VOID
    bins = truth_NHW[counted].astype(np.int64) * num_classes + predicted_NHW[counted]
    counts_CC = np.bincount(bins, minlength=num_classes**2).reshape(num_classes, num_classes)
    hit_C, union_C = np.diag(counts_CC), counts_CC.sum(0) + counts_CC.sum(1) - np.diag(counts_CC)
    occurring = union_C > 0
    return Scores(float((hit_C[occurring] / union_C[occurring]).mean()), float(hit_C.sum() / counts_CC.sum()))
