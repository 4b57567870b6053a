"""Surface Dice and HD95: distances between the boundaries of truth and prediction.

- Surface Dice, normalised (Nikolov et al. 2018, "Deep learning to achieve clinically applicable segmentation of head
  and neck anatomy for radiotherapy"): the share of both boundaries that lies within a tolerance of the other one.
- HD95: the 95th percentile of the distances from a boundary to the other, the larger of both directions (Huttenlocher
  et al. 1993 for the distance).

Boundaries and distances are those of MONAI's `get_mask_edges` and `compute_percent_hausdorff_distance`: a pixel is on
the boundary if one of its four neighbours is not of the class; distances are between centres of pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from common.records import VOID
from components.evaluator.counts import ratio
from components.evaluator.families.config import Surface
from components.evaluator.families.family import Mask, Sums, Values
from components.evaluator.families.names import HD95, SURFACE_DICE

_PERCENTILE = 95
Flags = npt.NDArray[np.bool_]
Distances = npt.NDArray[np.float64]


class SurfaceFamily:
    """`surface_dice/<class>`, its pixels added over all images, and `hd95/<class>`, the mean over the images.

    An image counts for a class that its truth or prediction has.  Where only one has it, no boundary agrees, and the
    distance is the image's diagonal.
    """

    def __init__(self, config: Surface, classes: Sequence[str]) -> None:
        self._config, self._classes = config, tuple(classes)

    @property
    def size(self) -> int:
        """Boundary pixels that agree, boundary pixels, sum of distances, and images, of each class."""
        return 4 * len(self._classes)

    def count(self, truth_HW: Mask, predicted_HW: Mask) -> Sums:
        """Returns the figures [C, 4] in one row."""
        known_HW = truth_HW != VOID
        counts_C4 = np.zeros((len(self._classes), 4))
        for index in range(len(self._classes)):
            counts_C4[index] = self._count_class((truth_HW == index) & known_HW, (predicted_HW == index) & known_HW)
        return counts_C4.ravel()

    def _count_class(self, truth_HW: Flags, predicted_HW: Flags) -> tuple[float, float, float, float]:
        if not truth_HW.any() and not predicted_HW.any():
            return 0.0, 0.0, 0.0, 0.0
        spacing = self._config.spacing
        truth, predicted = edges(truth_HW), edges(predicted_HW)
        number = np.count_nonzero(truth) + np.count_nonzero(predicted)
        if not truth_HW.any() or not predicted_HW.any():
            return 0.0, number, float(np.hypot(*np.multiply(truth_HW.shape, spacing))), 1.0
        directed = distances(predicted, truth, spacing), distances(truth, predicted, spacing)
        agreeing = sum(np.count_nonzero(distance <= self._config.tolerance) for distance in directed)
        return agreeing, number, max(float(np.percentile(distance, _PERCENTILE)) for distance in directed), 1.0

    def values(self, sums_N: Sums) -> dict[str, Values]:
        """Returns both metrics of each class."""
        sums_C4 = sums_N.reshape(*sums_N.shape[:-1], len(self._classes), 4)
        values = {}
        for index, name in enumerate(self._classes):
            agreeing, number, distance, images = np.moveaxis(sums_C4[..., index, :], -1, 0)
            values[f"{SURFACE_DICE}/{name}"] = ratio(agreeing, number)
            values[f"{HD95}/{name}"] = ratio(distance, images)
        return values


def edges(mask_HW: Flags) -> Flags:
    """Returns the pixels of a mask with a neighbour, of four, that is not of it; beyond the image nothing is."""
    return mask_HW & ~ndimage.binary_erosion(mask_HW)


def distances(of_HW: Flags, to_HW: Flags, spacing: tuple[float, float]) -> Distances:
    """Returns the distance of each pixel of one boundary to the nearest of the other."""
    return ndimage.distance_transform_edt(~to_HW, sampling=spacing)[of_HW]
