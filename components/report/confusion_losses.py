"""What each confusion of two classes costs, in IoU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from components.evaluator import counts


class ConfusionLoss(NamedTuple):
    """Pixels of one class that were predicted as another, and by how much IoU would be higher without them."""

    truth: int
    prediction: int
    pixels: int
    share: float
    """Of the pixels of the truth."""
    mean_iou: float
    truth_iou: float
    prediction_iou: float | None
    """`None` if the class would then occur in neither truth nor prediction."""


def confusion_losses(confusion_CC: Sequence[Sequence[int]], limit: int | None = None) -> list[ConfusionLoss]:
    """Returns the pairs of classes that were confused, the costliest by mean IoU first; at most `limit` of them.

    The loss of a pair (t, p) with n pixels is the metric of the confusion matrix in which these n pixels are predicted
    as t, less the metric of the matrix as it is: IoU of t becomes (TP + n) / union, since its union is the same, and
    IoU of p becomes TP / (union − n).  The mean goes over the classes that occur in truth or prediction, as everywhere.
    Each loss is that of correcting one pair alone, so their sum is not what correcting all would give.
    """
    matrix_CC = np.array(confusion_CC, np.int64)
    truth_N, prediction_N = np.nonzero(matrix_CC * (1 - np.eye(len(matrix_CC), dtype=np.int64)))
    pixels_N = matrix_CC[truth_N, prediction_N]
    hits_C, truth_C, predicted_C = counts.marginals(matrix_CC)
    union_C = truth_C + predicted_C - hits_C
    truth_iou_N = counts.ratio(pixels_N, union_C[truth_N])
    after_N = counts.ratio(hits_C[prediction_N], union_C[prediction_N] - pixels_N)  # NaN: it no longer occurs.
    prediction_iou_N = after_N - counts.ratio(hits_C[prediction_N], union_C[prediction_N])
    total, classes = np.nansum(counts.iou(matrix_CC)), np.count_nonzero(union_C)
    gone_N = np.isnan(after_N)  # Its IoU was 0, so the sum of the others is not less.
    sums_N = total + truth_iou_N + np.where(gone_N, 0, prediction_iou_N)
    mean_N = sums_N / (classes - gone_N) - total / max(classes, 1)
    order = np.lexsort((-pixels_N, -mean_N))[:limit]
    return [
        ConfusionLoss(
            truth=int(truth_N[n]),
            prediction=int(prediction_N[n]),
            pixels=int(pixels_N[n]),
            share=float(pixels_N[n] / truth_C[truth_N[n]]),
            mean_iou=float(mean_N[n]),
            truth_iou=float(truth_iou_N[n]),
            prediction_iou=None if gone_N[n] else float(prediction_iou_N[n]),
        )
        for n in order
    ]
