"""Counts of the ingested pairs per split; mergeable in any order on any number of machines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from common.plurals import counted
from common.records import SPLITS
from components.example_gen.causes import MOST, group_causes
from components.example_gen.config import Labels
from components.example_gen.features import Measures
from components.example_gen.label_counts import LabelCounts, MaskFacts
from components.example_gen.pairing import Listing
from components.example_gen.quarantine import FoldSummary, IngestionSummary, Quarantined

_Key = TypeVar("_Key", str, int)

MOSTLY_VOID = 0.9
"""An image is mostly void if more than this share of its pixels is void."""


@dataclass
class SplitCounts:
    """Pair counts per split."""

    pairs: Counter[str] = field(default_factory=Counter)
    class_pixels: dict[str, np.ndarray] = field(default_factory=dict)
    class_pictures: dict[str, np.ndarray] = field(default_factory=dict)
    void_pixels: Counter[str] = field(default_factory=Counter)
    slices: dict[str, Counter[str]] = field(default_factory=dict)
    mostly_void: Counter[str] = field(default_factory=Counter)
    labels: LabelCounts = field(default_factory=LabelCounts)
    repeated: Counter[str] = field(default_factory=Counter)
    fold_pairs: Counter[int] = field(default_factory=Counter)
    fold_class_pixels: dict[int, np.ndarray] = field(default_factory=dict)

    def add(
        self,
        split: str,
        measures: Measures,
        slices: Mapping[str, str],
        mask: MaskFacts,
        repeats: bool = False,
        fold: int | None = None,
    ) -> None:
        """Counts one pair; `repeats` means that another pair of its split has the same image and mask."""
        one = SplitCounts(
            Counter({split: 1}),
            {split: measures.class_pixels},
            {split: (measures.class_pixels > 0).astype(np.int64)},
            Counter({split: measures.void_pixels}),
            {column: Counter({value: 1}) for column, value in slices.items()},
            Counter({split: int(measures.void_fraction > MOSTLY_VOID)}),
        )
        one.labels.add(mask)
        one.repeated[split] += repeats
        if fold:
            one.fold_pairs[fold] += 1
            one.fold_class_pixels[fold] = measures.class_pixels
        self.merge(one)

    def merge(self, other: SplitCounts) -> SplitCounts:
        """Adds the counts of `other` to this one, which is returned."""
        self.pairs.update(other.pairs)
        self.void_pixels.update(other.void_pixels)
        self.mostly_void.update(other.mostly_void)
        self.repeated.update(other.repeated)
        self.fold_pairs.update(other.fold_pairs)
        self.labels.merge(other.labels)
        _merge_arrays(self.class_pixels, other.class_pixels)
        _merge_arrays(self.class_pictures, other.class_pictures)
        _merge_arrays(self.fold_class_pixels, other.fold_class_pixels)
        for column, values in other.slices.items():
            self.slices.setdefault(column, Counter()).update(values)
        return self


def _merge_arrays(mine: dict[_Key, np.ndarray], theirs: Mapping[_Key, np.ndarray]) -> None:
    for key, counts in theirs.items():
        mine[key] = mine[key] + counts if key in mine else counts


def summarise(
    counts: SplitCounts,
    quarantined: Sequence[Quarantined],
    listing: Listing,
    class_names: Sequence[str],
    labels: Labels,
    folds: int | None = None,
) -> IngestionSummary:
    """Returns the summary of a whole data set, in `folds` folds of cross-validation if there are any."""
    reasons = Counter(entry.reason.value for entry in quarantined)
    nothing = np.zeros(len(class_names), np.int64)
    return IngestionSummary(
        data_fingerprint=listing.fingerprint,
        classes=tuple(class_names),
        found=sum(counts.pairs.values()) + sum(reasons.values()),
        used={split: counts.pairs[split] for split in SPLITS},
        quarantined=dict(sorted(reasons.items())),
        causes=group_causes(quarantined)[:MOST],
        notes=listing.notes,
        strays=listing.ignored_files,
        class_pixels={split: tuple(counts.class_pixels.get(split, nothing).tolist()) for split in SPLITS},
        class_pictures={split: tuple(counts.class_pictures.get(split, nothing).tolist()) for split in SPLITS},
        void_pixels={split: counts.void_pixels[split] for split in SPLITS},
        mostly_void={split: counts.mostly_void[split] for split in SPLITS},
        labels=counts.labels.summary(labels, class_names, quarantined),
        repeated={split: count for split, count in sorted(counts.repeated.items()) if count},
        slices={column: dict(sorted(values.items())) for column, values in sorted(counts.slices.items())},
        folds=tuple(
            FoldSummary(
                pairs=counts.fold_pairs[fold],
                class_pixels=tuple(counts.fold_class_pixels.get(fold, nothing).tolist()),
            )
            for fold in range(1, (folds or 0) + 1)
        ),
    )


def describe(summary: IngestionSummary) -> str:
    """One line: `300 pairs: 240 train, 30 eval, 30 test; 4 quarantined (2 missing_mask, …); void: …`."""
    used = ", ".join(f"{count} {split}" for split, count in summary.used.items())
    line = f"{counted(sum(summary.used.values()), 'pair')}: {used}"
    if summary.folds:
        line += f"; in {len(summary.folds)} folds: {', '.join(str(fold.pairs) for fold in summary.folds)}"
    if summary.quarantined:
        ordered = sorted(summary.quarantined.items(), key=lambda item: (-item[1], item[0]))
        reasons = ", ".join(f"{count} {reason}" for reason, count in ordered)
        line += f"; {sum(summary.quarantined.values())} quarantined ({reasons})"
    if any(summary.void_pixels.values()):
        shares = ", ".join(f"{summary.void_share(split):.1%} of {split}" for split in summary.used)
        line += f"; void: {shares}"
    return line
