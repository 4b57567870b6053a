"""Counts over the pairs that are used, summed up in any order and on any number of machines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from components.example_gen.causes import MOST, group_causes
from components.example_gen.features import Measures
from components.example_gen.quarantine import IngestionSummary, Quarantined
from components.records import SPLITS


@dataclass
class Tally:
    """What a number of pairs amount to, by split."""

    pairs: Counter[str] = field(default_factory=Counter)
    class_pixels: dict[str, np.ndarray] = field(default_factory=dict)
    class_pictures: dict[str, np.ndarray] = field(default_factory=dict)
    void_pixels: Counter[str] = field(default_factory=Counter)
    slices: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, split: str, measures: Measures, slices: Mapping[str, str]) -> None:
        """Counts one pair."""
        one = Tally(
            Counter({split: 1}),
            {split: measures.class_pixels},
            {split: (measures.class_pixels > 0).astype(np.int64)},
            Counter({split: measures.void_pixels}),
            {column: Counter({value: 1}) for column, value in slices.items()},
        )
        self.merge(one)

    def merge(self, other: Tally) -> Tally:
        """Adds the counts of `other` to this one, which is returned."""
        self.pairs.update(other.pairs)
        self.void_pixels.update(other.void_pixels)
        for mine, theirs in (
            (self.class_pixels, other.class_pixels),
            (self.class_pictures, other.class_pictures),
        ):
            for split, counts in theirs.items():
                mine[split] = mine[split] + counts if split in mine else counts
        for column, values in other.slices.items():
            self.slices.setdefault(column, Counter()).update(values)
        return self


def summarise(
    tally: Tally,
    quarantined: Sequence[Quarantined],
    fingerprint: str,
    class_names: Sequence[str],
    strays: int,
    notes: Sequence[str] = (),
) -> IngestionSummary:
    """The account of a whole data set."""
    reasons = Counter(entry.reason.value for entry in quarantined)
    nothing = np.zeros(len(class_names), np.int64)
    return IngestionSummary(
        data_fingerprint=fingerprint,
        classes=tuple(class_names),
        found=sum(tally.pairs.values()) + sum(reasons.values()),
        used={split: tally.pairs[split] for split in SPLITS},
        quarantined=dict(sorted(reasons.items())),
        causes=group_causes(quarantined)[:MOST],
        notes=tuple(notes),
        strays=strays,
        class_pixels={split: tuple(tally.class_pixels.get(split, nothing).tolist()) for split in SPLITS},
        class_pictures={split: tuple(tally.class_pictures.get(split, nothing).tolist()) for split in SPLITS},
        void_pixels={split: tally.void_pixels[split] for split in SPLITS},
        slices={column: dict(sorted(values.items())) for column, values in sorted(tally.slices.items())},
    )


def describe(summary: IngestionSummary) -> str:
    """One line for a person: `300 pairs: 240 train, 30 eval, 30 test; 4 quarantined (2 missing_mask, …)`."""
    used = ", ".join(f"{count} {split}" for split, count in summary.used.items())
    line = f"{sum(summary.used.values())} pairs: {used}"
    if summary.quarantined:
        ordered = sorted(summary.quarantined.items(), key=lambda item: (-item[1], item[0]))
        reasons = ", ".join(f"{count} {reason}" for reason, count in ordered)
        line += f"; {sum(summary.quarantined.values())} quarantined ({reasons})"
    return line
