"""Metrics of objects: panoptic quality (Kirillov et al. 2019, "Panoptic Segmentation", section 4.2) and its parts.

Objects are the connected pixels of a class, diagonal neighbours included, in truth and prediction: a semantic mask has
no others, so objects of one class that touch are one.  A predicted and a true object match if their IoU is above 0.5,
which it is for at most one partner.  Void pixels count for no union, and a predicted object that is mostly void is
neither right nor wrong, as in the authors' `panopticapi`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from common.records import VOID
from components.evaluator.counts import ratio
from components.evaluator.families.config import Objects
from components.evaluator.families.family import Mask, Sums, Values
from components.evaluator.families.names import (
    OBJECT_F1,
    OBJECT_PRECISION,
    OBJECT_RECALL,
    PANOPTIC_QUALITY,
    measured_classes,
)

_NEIGHBOURS = np.ones((3, 3), bool)
_MOSTLY = 0.5


class Matches(NamedTuple):
    """Objects of a class on an image, or on many."""

    found: float
    """True positives: pairs that match."""
    invented: float
    """False positives: predicted objects without a match."""
    missed: float
    """False negatives: true objects without a match."""
    overlap: float
    """Sum of the pairs' IoU."""


class ObjectsFamily:
    """`object_precision/<class>`, `object_recall/…`, `object_f1/…` and `panoptic_quality/…`."""

    def __init__(self, config: Objects, classes: Sequence[str]) -> None:
        self._overlap = config.overlap
        self._indices = {name: list(classes).index(name) for name in measured_classes(config, classes)}

    @property
    def size(self) -> int:
        """`Matches` of each class."""
        return len(Matches._fields) * len(self._indices)

    def count(self, truth_HW: Mask, predicted_HW: Mask) -> Sums:
        """Returns `Matches` of each class in one row."""
        void_HW = truth_HW == VOID
        counts = [
            match_objects(truth_HW == index, predicted_HW == index, void_HW, self._overlap)
            for index in self._indices.values()
        ]
        return np.array(counts, np.float64).ravel()

    def values(self, sums_N: Sums) -> dict[str, Values]:
        """Returns the four metrics of each class."""
        sums_C4 = sums_N.reshape(*sums_N.shape[:-1], len(self._indices), len(Matches._fields))
        values = {}
        for row, name in enumerate(self._indices):
            found, invented, missed, overlap = np.moveaxis(sums_C4[..., row, :], -1, 0)
            values[f"{OBJECT_PRECISION}/{name}"] = ratio(found, found + invented)
            values[f"{OBJECT_RECALL}/{name}"] = ratio(found, found + missed)
            values[f"{OBJECT_F1}/{name}"] = ratio(2 * found, 2 * found + invented + missed)
            values[f"{PANOPTIC_QUALITY}/{name}"] = ratio(overlap, found + (invented + missed) / 2)
        return values


def match_objects(
    truth_HW: npt.NDArray[np.bool_],
    predicted_HW: npt.NDArray[np.bool_],
    void_HW: npt.NDArray[np.bool_],
    overlap: float = 0.5,
) -> Matches:
    """Matches the objects of two masks of one class; `overlap`, at least 0.5, is the IoU that a match exceeds."""
    truth, true_number = ndimage.label(truth_HW, _NEIGHBOURS)
    predicted, predicted_number = ndimage.label(predicted_HW, _NEIGHBOURS)
    shape = true_number + 1, predicted_number + 1
    pixels_TP = np.bincount((truth * shape[1] + predicted).ravel(), minlength=shape[0] * shape[1]).reshape(shape)
    void_P = np.bincount(predicted[void_HW], minlength=shape[1])
    area_P = pixels_TP.sum(axis=0)
    union_TP = pixels_TP.sum(axis=1)[:, None] + (area_P - void_P)[None] - pixels_TP
    iou_TP = ratio(pixels_TP, union_TP)[1:, 1:]
    matched_TP = iou_TP > overlap
    ignored_P = ~matched_TP.any(axis=0) & (void_P[1:] > _MOSTLY * area_P[1:])
    found = int(matched_TP.sum())
    return Matches(
        found, predicted_number - found - int(ignored_P.sum()), true_number - found, float(iou_TP[matched_TP].sum())
    )
