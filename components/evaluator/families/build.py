"""Builds the families that the configuration names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from components.evaluator.families.boundary import BoundaryFamily
from components.evaluator.families.config import Boundary, Surface
from components.evaluator.families.config import Family as FamilyConfig
from components.evaluator.families.family import Family, Mask, Sums, Values
from components.evaluator.families.objects import ObjectsFamily
from components.evaluator.families.surface import SurfaceFamily


class Families:
    """Several families as one."""

    def __init__(self, configs: Iterable[FamilyConfig], classes: Sequence[str]) -> None:
        self._families = [_build(config, classes) for config in configs]

    @property
    def size(self) -> int:
        """Number of figures that are added up."""
        return sum(family.size for family in self._families)

    def count(self, truth_HW: Mask, predicted_HW: Mask) -> Sums:
        """Returns an image's figures [size]."""
        return np.concatenate([np.zeros(0), *(family.count(truth_HW, predicted_HW) for family in self._families)])

    def values(self, sums_N: Sums) -> dict[str, Values]:
        """Returns the metrics by name from sums [..., size]."""
        values: dict[str, Values] = {}
        begin = 0
        for family in self._families:
            values |= family.values(sums_N[..., begin : begin + family.size])
            begin += family.size
        return values


def _build(config: FamilyConfig, classes: Sequence[str]) -> Family:
    if isinstance(config, Boundary):
        return BoundaryFamily(config, classes)
    if isinstance(config, Surface):
        return SurfaceFamily(config, classes)
    return ObjectsFamily(config, classes)
