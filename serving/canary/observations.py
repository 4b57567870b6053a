"""Observations of the served version and of the canary, on which the decision is based."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple


class Sample(NamedTuple):
    """How a version answered one image.  What is not known is `None`."""

    answered: bool
    seconds: float | None = None
    confidence: float | None = None
    class_fractions: Mapping[str, float] | None = None


@dataclass(frozen=True)
class Observations:
    """Samples of both versions since the canary began, oldest first."""

    stable: Sequence[Sample]
    canary: Sequence[Sample]
    minutes: float
    """Time since the canary began."""
    agreements: Sequence[float] = ()
    """Share of equal pixels of each image that both versions answered; empty if no image was given to both."""
    is_paired: bool = False
    """Whether the nth samples are of one image, predicted by both versions one right after the other."""
    note: str = ""
    """Why there are few or no samples, such as a canary that cannot be loaded; empty if nothing is wrong."""

    @property
    def images(self) -> int:
        """Number of images that each version was given."""
        return min(len(self.stable), len(self.canary))

    def first(self, images: int) -> Observations:
        """Returns the first so many samples of each version."""
        return replace(
            self, stable=self.stable[:images], canary=self.canary[:images], agreements=self.agreements[:images]
        )
