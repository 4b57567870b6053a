"""Mean IoU against seconds of training: the rows of a table, from the epochs of several trainings."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from benchmarks.seeds.table import spread

POINTS = 10

Curve = Sequence[Sequence[float]]
"""Seconds of each epoch, and the mean IoU after it."""


def curve_rows(curves: Mapping[str, Sequence[Curve]]) -> list[list[str]]:
    """A head and `POINTS` rows: seconds, and the score of each side at that time, over its rounds.

    The last row is at the time at which the shortest training ended.
    """
    end = min(sum(seconds) for of_side in curves.values() for seconds, _ in of_side)
    rows = [["seconds", *curves]]
    for point in range(1, POINTS + 1):
        now = end * point / POINTS
        found = {side: [score_at(curve, now) for curve in of_side] for side, of_side in curves.items()}
        rows.append([f"{now:.0f}", *("–" if None in scores else spread(scores) for scores in found.values())])
    return rows


def score_at(curve: Curve, now: float) -> float | None:
    """The score after the last epoch that had ended at `now` seconds; none before the first."""
    ended = [score for end, score in zip(itertools.accumulate(curve[0]), curve[1], strict=True) if end <= now + 1e-9]
    return ended[-1] if ended else None
