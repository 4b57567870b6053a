"""The images to label among the most uncertain candidates, and the words that say why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.labelling.candidates import Candidate
from pipeline.labelling.k_centre import k_centre

CANDIDATES = 10
"""Candidates for each image that is chosen: the most uncertain ones, among which diversity decides."""


class Chosen(NamedTuple):
    """An image that is worth labelling."""

    rank: int
    path: str
    score: float
    entropy: float
    margin: float
    disagreement: float | None
    distance: float | None
    """To the nearest image of a lower rank, see `descriptor`; `None` for the first."""
    reason: str


def choose(candidates: Sequence[Candidate], number: int, seen: int) -> list[Chosen]:
    """Returns the images to label: the most uncertain one, and those that differ most from all before them.

    Args:
        candidates: The most uncertain first.
        number: How many to choose; fewer if there are not so many candidates.
        seen: Images of the source that the model has judged.
    """
    if not candidates:
        return []
    centres = k_centre(np.stack([candidate.descriptor for candidate in candidates]), number)
    found = []
    for rank, centre in enumerate(centres, 1):
        candidate = candidates[centre.place]
        reason = _reason(candidate, f"number {centre.place + 1} of {seen}", centre.distance)
        measures = (*candidate.uncertainty, candidate.disagreement, centre.distance)
        found.append(Chosen(rank, candidate.path, candidate.score, *measures, reason))
    return found


def _reason(candidate: Candidate, place: str, distance: float | None) -> str:
    parts = [f"entropy {candidate.uncertainty.entropy:.2f}", f"margin {candidate.uncertainty.margin:.2f}"]
    if candidate.disagreement is not None:
        parts.append(f"disagreement of the models {candidate.disagreement:.2f}")
    text = f"{place} by uncertainty {candidate.score:.2f} ({', '.join(parts)})"
    return text if distance is None else f"{text}; distance {distance:.2f} to the nearest image before it"
