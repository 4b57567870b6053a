"""Builds the families that the configuration names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from common.signatures import RELIABILITY_SUMS
from components.evaluator.families.boundary import BoundaryFamily
from components.evaluator.families.calibration import CalibrationFamily
from components.evaluator.families.config import Boundary, Calibration, Surface
from components.evaluator.families.config import Family as FamilyConfig
from components.evaluator.families.family import Mask, MaskFamily, Sums, Values
from components.evaluator.families.objects import ObjectsFamily
from components.evaluator.families.surface import SurfaceFamily

NOT_NEEDED: Sums = np.zeros((0, 0, 0))
"""In place of a model's output that no family counts from."""


class Families:
    """Several families as one."""

    def __init__(self, configs: Iterable[FamilyConfig], classes: Sequence[str]) -> None:
        self._families = [_build(config, classes) for config in configs]

    @property
    def size(self) -> int:
        """Number of figures that are added up."""
        return sum(family.size for family in self._families)

    def count(self, truth_HW: Mask, predicted_HW: Mask, reliability_CMR: Sums = NOT_NEEDED) -> Sums:
        """Returns an image's figures [size]; `reliability_CMR` is the model's output of that name."""
        counts = (
            family.count_bins(reliability_CMR)
            if isinstance(family, CalibrationFamily)
            else family.count(truth_HW, predicted_HW)
            for family in self._families
        )
        return np.concatenate([np.zeros(0), *counts])

    def values(self, sums_N: Sums) -> dict[str, Values]:
        """Returns the metrics by name from sums [..., size]."""
        values: dict[str, Values] = {}
        for family, sums in self._parts(sums_N):
            values |= family.values(sums)
        return values

    def reliability(self, sums_N: Sums) -> Sums:
        """Returns the sums of each bin of confidence [bins, R]; without the family of calibration there is no bin."""
        bins = [family.bins(sums) for family, sums in self._parts(sums_N) if isinstance(family, CalibrationFamily)]
        return bins[0] if bins else np.zeros((0, len(RELIABILITY_SUMS)))

    def _parts(self, sums_N: Sums) -> Iterator[tuple[MaskFamily | CalibrationFamily, Sums]]:
        """Returns each family with its part of the sums."""
        begin = 0
        for family in self._families:
            yield family, sums_N[..., begin : begin + family.size]
            begin += family.size


def _build(config: FamilyConfig, classes: Sequence[str]) -> MaskFamily | CalibrationFamily:
    if isinstance(config, Calibration):
        return CalibrationFamily(config, classes)
    if isinstance(config, Boundary):
        return BoundaryFamily(config, classes)
    if isinstance(config, Surface):
        return SurfaceFamily(config, classes)
    return ObjectsFamily(config, classes)
