"""Figures of two versions as they were recorded when each was pushed."""

from __future__ import annotations

from typing import NamedTuple

from components.evaluator.results import Estimate
from pipeline.comparison.side import OVERALL, Side

NOTHING = Estimate(value=None)


class RecordedFigure(NamedTuple):
    """A metric of both versions, each on the test images of its own run; an `Estimate` without a value is missing."""

    metric: str
    place: str
    """`column=value`; `OVERALL` for the whole split."""
    a: Estimate
    b: Estimate

    @property
    def change(self) -> float | None:
        """b − a, which may be due to other images; `None` if one is missing."""
        return None if self.a.value is None or self.b.value is None else self.b.value - self.a.value


def recorded_figures(a: Side, b: Side) -> list[RecordedFigure]:
    """Returns all figures that either version has, those of the whole split first; none unless both are versions."""
    if a.version is None or b.version is None:
        return []
    ours, theirs = a.version.figures, b.version.figures
    every = dict.fromkeys((*ours, *theirs))
    ordered = sorted(every, key=lambda each: each[1] != OVERALL)  # Stable: in the order of the cards.
    return [
        RecordedFigure(metric, place, ours.get((metric, place), NOTHING), theirs.get((metric, place), NOTHING))
        for metric, place in ordered
    ]
