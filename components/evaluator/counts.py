"""Metrics from confusion counts: each is a ratio of pixels counted as [truth][prediction].

With TP the pixels of a class that were found, FP those wrongly given to it and FN those missed:

- IoU = TP / (TP + FP + FN), the index of Jaccard (1912), as the PASCAL VOC challenge measures segmentation
  (Everingham et al. 2010, section 4.1.4);
- Dice = 2 TP / (2 TP + FP + FN), the coefficient of Dice (1945);
- pixel accuracy = Σ TP / all pixels (Long, Shelhamer & Darrell 2015, section 5).

Counts are added over all images before anything is divided, and a class that occurs neither in truth nor in
prediction has no IoU and no Dice: it is NaN here, and is left out of the means.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from common.records import VOID

Counts = npt.NDArray[np.int64]
Ratios = npt.NDArray[np.float64]


def confusion_counts(truth_HW: npt.ArrayLike, prediction_HW: npt.ArrayLike, num_classes: int) -> Counts:
    """Returns pixel counts [C, C] indexed [truth][prediction]; void pixels of the truth are ignored.

    Raises:
        ValueError: the shapes differ, or an index is neither a class nor, in the truth, void.
    """
    truth, prediction = np.asarray(truth_HW), np.asarray(prediction_HW)
    if truth.shape != prediction.shape:
        raise ValueError(f"truth is {truth.shape}, prediction {prediction.shape}")
    counted = truth != VOID
    pairs = truth[counted].astype(np.int64), prediction[counted].astype(np.int64)
    for name, indices in zip(("truth", "prediction"), pairs, strict=True):
        if indices.size and (indices.min() < 0 or indices.max() >= num_classes):
            raise ValueError(f"{name} has indices beyond the {num_classes} classes")
    confusion_CC = np.zeros((num_classes, num_classes), np.int64)
    np.add.at(confusion_CC, pairs, 1)
    return confusion_CC


def iou(confusion_CC: Counts) -> Ratios:
    """IoU [C] of each class; NaN where the class is absent."""
    return _iou(*marginals(confusion_CC))


def dice(confusion_CC: Counts) -> Ratios:
    """Dice [C] of each class; NaN where the class is absent."""
    return _dice(*marginals(confusion_CC))


def pixel_accuracy(confusion_CC: Counts) -> float:
    """Share of the counted pixels whose class was found; NaN if nothing was counted."""
    return float(_pixel_accuracy(*marginals(confusion_CC)))


def mean_over_present(ratios_C: Ratios) -> Ratios:
    """Mean over the classes (last axis) that are present; NaN if none is."""
    present = ~np.isnan(ratios_C)
    return ratio(np.where(present, ratios_C, 0).sum(axis=-1), present.sum(axis=-1))


def named_metrics(confusion_CC: Counts, classes: Sequence[str]) -> dict[str, float]:
    """Returns all metrics under the names that thresholds use; NaN where the denominator is 0."""
    named = named_metrics_of_marginals(np.stack(marginals(confusion_CC)), classes)
    return {name: float(value) for name, value in named.items()}


def named_metrics_of_marginals(marginals_3C: Counts, classes: Sequence[str]) -> dict[str, Ratios]:
    """Returns the same from `marginals`, which is all that the ratios need; any axes may precede [3, C]."""
    hits, truth, predicted = np.moveaxis(marginals_3C, -2, 0)
    iou_C, dice_C = _iou(hits, truth, predicted), _dice(hits, truth, predicted)
    return {
        "mean_iou": mean_over_present(iou_C),
        "mean_dice": mean_over_present(dice_C),
        "pixel_accuracy": _pixel_accuracy(hits, truth, predicted),
        **{f"iou/{name}": iou_C[..., index] for index, name in enumerate(classes)},
        **{f"dice/{name}": dice_C[..., index] for index, name in enumerate(classes)},
    }


def marginals(confusion_CC: Counts) -> tuple[Counts, Counts, Counts]:
    """Per class [C]: pixels found, pixels in the truth, pixels in the prediction."""
    return np.diagonal(confusion_CC), confusion_CC.sum(axis=1), confusion_CC.sum(axis=0)


def _iou(hits: Counts, truth: Counts, predicted: Counts) -> Ratios:
    return ratio(hits, truth + predicted - hits)


def _dice(hits: Counts, truth: Counts, predicted: Counts) -> Ratios:
    return ratio(2 * hits, truth + predicted)


def _pixel_accuracy(hits: Counts, truth: Counts, predicted: Counts) -> Ratios:
    return ratio(hits.sum(axis=-1), truth.sum(axis=-1))


def ratio(part: npt.ArrayLike, whole: npt.ArrayLike) -> Ratios:
    """Returns `part` / `whole`, NaN where `whole` is 0."""
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)
