"""What a family of metrics is."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.uint8]
Sums = npt.NDArray[np.float64]
Values = npt.NDArray[np.float64]


class Family(Protocol):
    """Metrics that follow from sums over images."""

    @property
    def size(self) -> int:
        """Number of figures that are added up."""

    def values(self, sums_N: Sums) -> dict[str, Values]:
        """Returns the metrics by name from sums [..., size]; NaN where there is nothing to measure."""


class MaskFamily(Family, Protocol):
    """Metrics of the masks."""

    def count(self, truth_HW: Mask, predicted_HW: Mask) -> Sums:
        """Returns an image's figures [size]; void pixels of the truth do not count."""
