"""Boundary IoU: Cheng et al. 2021, "Boundary IoU: Improving Object-Centric Image Segmentation Evaluation".

The boundary of a class is its pixels within d pixels of one that is not of it, in the maximum norm, as in
`mask_to_boundary` of the authors' `boundary_iou_api`; beyond the image's border nothing is of the class.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from common.records import VOID
from components.evaluator.counts import ratio
from components.evaluator.families.config import Boundary
from components.evaluator.families.family import Mask, Sums, Values
from components.evaluator.families.names import BOUNDARY_IOU


class BoundaryFamily:
    """`boundary_iou/<class>`: IoU of the boundaries, their pixels added over all images."""

    def __init__(self, config: Boundary, classes: Sequence[str]) -> None:
        self._config, self._classes = config, tuple(classes)

    @property
    def size(self) -> int:
        """Intersection and union of each class."""
        return 2 * len(self._classes)

    def count(self, truth_HW: Mask, predicted_HW: Mask) -> Sums:
        """Returns the pixels of intersection and union of each class's boundaries, [C, 2] in one row."""
        height, width = truth_HW.shape
        pixels = boundary_pixels(height, width, self._config.width)
        known_HW = truth_HW != VOID
        counts_C2 = np.zeros((len(self._classes), 2))
        for index in range(len(self._classes)):
            truth, predicted = (boundary((mask == index) & known_HW, pixels) for mask in (truth_HW, predicted_HW))
            counts_C2[index] = np.count_nonzero(truth & predicted), np.count_nonzero(truth | predicted)
        return counts_C2.ravel()

    def values(self, sums_N: Sums) -> dict[str, Values]:
        """Returns the boundary IoU of each class."""
        sums_C2 = sums_N.reshape(*sums_N.shape[:-1], len(self._classes), 2)
        return {
            f"{BOUNDARY_IOU}/{name}": ratio(sums_C2[..., index, 0], sums_C2[..., index, 1])
            for index, name in enumerate(self._classes)
        }


def boundary_pixels(height: int, width: int, share: float) -> int:
    """Returns the width of the boundary in pixels: a share of the image's diagonal, at least 1."""
    return max(1, round(share * float(np.hypot(height, width))))


def boundary(mask_HW: npt.NDArray[np.bool_], pixels: int) -> npt.NDArray[np.bool_]:
    """Returns the pixels of a mask that are within `pixels` of one outside it."""
    if not mask_HW.any():
        return mask_HW
    inside_HW = ndimage.minimum_filter(mask_HW.view(np.uint8), size=2 * pixels + 1, mode="constant", cval=0)
    return mask_HW & (inside_HW == 0)
