"""Regions of a mask that the model contradicts with high confidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from common.plurals import counted
from pipeline.labelling.evidence import Evidence
from segpipe_client.polygons import regions

CONFIDENT = 0.8
"""Probability of the predicted class from which a pixel counts as a contradiction."""


class Contradiction(NamedTuple):
    """A connected region (by edges) of pixels with one label for which another class is predicted."""

    label: int
    predicted: int
    pixels: int
    confidence: float
    """Mean probability of the predicted class."""
    box: tuple[int, int, int, int]
    """First row, last row, first column, last column."""

    def describe(self, classes: Sequence[str]) -> str:
        """Returns a phrase for people."""
        top, bottom, left, right = self.box
        return (
            f"{classes[self.predicted]} predicted with {self.confidence:.2f} where the mask has {classes[self.label]}, "
            f"{counted(self.pixels, 'pixel')} ({_span('row', top, bottom)}, {_span('column', left, right)})"
        )


def _span(what: str, first: int, last: int) -> str:
    return f"{what} {first}" if first == last else f"{what}s {first} to {last}"


def contradictions(evidence: Evidence, confident: float = CONFIDENT) -> list[Contradiction]:
    """Returns the regions, the one with most pixels first; of equal ones the one that is higher up."""
    is_contradicted_HW = (
        evidence.is_labelled_HW
        & (evidence.class_HW != evidence.label_HW)
        & (evidence.confidence_HW >= np.float32(confident))
    )
    if not is_contradicted_HW.any():
        return []
    pair_HW = evidence.label_HW.astype(np.int32) * 256 + evidence.class_HW
    region_HW = regions(np.where(is_contradicted_HW, pair_HW, -1))
    number_N = region_HW[is_contradicted_HW]
    found, first_N, inverse_N, pixels_N = np.unique(
        number_N, return_index=True, return_inverse=True, return_counts=True
    )
    confidence_N = np.bincount(inverse_N, evidence.confidence_HW[is_contradicted_HW]) / pixels_N
    rows, columns = np.nonzero(is_contradicted_HW)
    pair_N = pair_HW[is_contradicted_HW][first_N]
    boxes = _boxes(inverse_N, rows, columns, len(found))
    listed = [
        Contradiction(int(pair) // 256, int(pair) % 256, int(pixels), float(confidence), box)
        for pair, pixels, confidence, box in zip(pair_N, pixels_N, confidence_N, boxes, strict=True)
    ]
    return sorted(listed, key=lambda region: (-region.pixels, region.box))


def _boxes(
    region_N: np.ndarray, rows_N: np.ndarray, columns_N: np.ndarray, number: int
) -> list[tuple[int, int, int, int]]:
    """Returns the box of each region, of its pixels' rows and columns."""
    bounds = []
    for places in (rows_N, columns_N):
        least, most = np.full(number, np.iinfo(np.int64).max), np.full(number, -1)
        np.minimum.at(least, region_N, places)
        np.maximum.at(most, region_N, places)
        bounds += [least.tolist(), most.tolist()]
    return list(zip(*bounds, strict=True))
