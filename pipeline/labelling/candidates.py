"""The most uncertain images of a source, without near duplicates, while the source is read once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.labelling.descriptor import Descriptor, distances
from pipeline.labelling.uncertainty import Uncertainty

NEAR_DUPLICATE = 0.02
"""Distance of descriptors below which two images are near duplicates: 2 % of each part's range."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """An image that may be chosen."""

    path: str
    score: float
    """The mean of its measures: what is uncertain has a high score."""
    uncertainty: Uncertainty
    disagreement: float | None
    """With another model; `None` if there is none."""
    descriptor: Descriptor

    @property
    def order(self) -> tuple[float, str]:
        """Sorts the most uncertain first; images of the same score by path."""
        return -self.score, self.path


class CandidatePool:
    """Holds the `size` candidates with the highest scores; of near duplicates the one with the highest."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._candidates: list[Candidate] = []
        self.seen = 0
        self.duplicates = 0
        """Images that were left out since a similar one has a higher score."""

    def add(self, new: Candidate) -> None:
        """Takes a candidate in, if it is one of the most uncertain and no near duplicate of a more uncertain one."""
        self.seen += 1
        similar = self._similar_to(new)
        if any(held.order < new.order for held in similar):
            self.duplicates += 1
            return
        self.duplicates += len(similar)
        kept = [held for held in self._candidates if held not in similar]
        self._candidates = sorted([*kept, new], key=lambda candidate: candidate.order)[: self._size]

    def ordered(self) -> list[Candidate]:
        """Returns the candidates, the most uncertain first."""
        return list(self._candidates)

    def _similar_to(self, new: Candidate) -> list[Candidate]:
        if not self._candidates:
            return []
        found_N = distances(new.descriptor, np.stack([held.descriptor for held in self._candidates]))
        return [self._candidates[index] for index in np.flatnonzero(found_N < NEAR_DUPLICATE)]
