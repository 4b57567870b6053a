"""Score of a labelled pair: how well a model agrees with the mask, as a whole and by class, and where it does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.labelling.contradictions import Contradiction, contradictions
from pipeline.labelling.evidence import Evidence
from pipeline.labelling.label_quality import soft_minimum

_DESCRIBED = 3
"""Regions that a reason names."""


class Suspicion(NamedTuple):
    """A pair with its label quality; a low score is suspicious."""

    id: str
    split: str
    seen: str
    """How the model knows the mask, see `judges`."""
    score: float
    class_scores: dict[str, float]
    """The same over the pixels with one label, of each class that occurs."""
    contradictions: Sequence[Contradiction]
    contradicted_share: float
    """Share of the labelled pixels that lie in `contradictions`."""
    reason: str

    @property
    def order(self) -> tuple[float, float, str, str]:
        """Sorts the most suspicious first; of equal scores the one with more contradicted pixels."""
        return self.score, -self.contradicted_share, self.split, self.id


class Pair(NamedTuple):
    """Names of a pair."""

    id: str
    split: str
    seen: str


def judge_mask(pair: Pair, evidence: Evidence, classes: Sequence[str], confident: float) -> Suspicion | None:
    """Returns the suspicion about a pair; `None` if all its pixels are void."""
    is_labelled_HW = evidence.is_labelled_HW
    if not is_labelled_HW.any():
        return None
    scores = {
        classes[index]: soft_minimum(evidence.given_HW[evidence.label_HW == index])
        for index in np.unique(evidence.label_HW[is_labelled_HW]).tolist()
    }
    regions = contradictions(evidence, confident)
    share = sum(region.pixels for region in regions) / int(is_labelled_HW.sum())
    score = soft_minimum(evidence.given_HW[is_labelled_HW])
    reason = _reason(regions, scores, classes, confident)
    return Suspicion(*pair, score, scores, regions, share, reason)


def _reason(
    regions: Sequence[Contradiction], scores: dict[str, float], classes: Sequence[str], confident: float
) -> str:
    if not regions:
        lowest = min(scores, key=lambda name: scores[name])
        return f"no pixel is contradicted with {confident:g} or more; the lowest score is that of {lowest}"
    more = len(regions) - _DESCRIBED
    parts = [region.describe(classes) for region in regions[:_DESCRIBED]]
    return "; ".join([*parts, *([f"{more} smaller regions"] if more > 0 else [])])
