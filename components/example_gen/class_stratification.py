"""Splits that are stratified by the classes in the masks: each class gets its share of every split.

An image has several classes, so there are no strata.  This is iterative stratification (Sechidis et al. 2011, "On the
stratification of multi-label data"): the rarest class is distributed first, each of its images to the split that lacks
that class most.  A group is one unit, with all classes of its images.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence, Set
from dataclasses import replace
from typing import TypeVar

from components.example_gen.config import Split
from components.example_gen.pairing import Pair
from components.example_gen.splits import PROTECTED, hashed_share
from components.example_gen.stratification import quotas, unit_of, units_of

ClassesById = Mapping[str, Set[int]]
"""Pair's id → classes in its mask."""

_Part = TypeVar("_Part", bound=Hashable)
Wanted = dict[_Part, dict[int, float]]
"""Split or fold → class → number of units that it still lacks; negative if it has more than its share."""
ANY = -1
"""Place of the number of all units in `Wanted`."""


def stratify_by_classes(pairs: Sequence[Pair], classes: ClassesById, seed: int, shares: Split) -> list[Pair]:
    """Assigns the pairs without a given split; the order within a class is by a hash of their group or id.

    A class in at least as many groups as there are splits with a share is in each of them, unless rarer classes that
    occur in the same images decide otherwise.  A pair that `classes` lacks, because its mask cannot be read, has none.
    """
    units: defaultdict[tuple[str, ...], dict[str, frozenset[int]]] = defaultdict(dict)
    for unit, members in units_of(pairs).items():
        units[members[0].among][unit] = classes_in_unit(members, classes)
    split_of: dict[str, str] = {}
    for among, classes_of in units.items():
        ordered = sorted(classes_of, key=lambda unit: (hashed_share(seed, unit), unit))
        weights = {split: getattr(shares, split) for split in among}
        allowed = [split for split in PROTECTED if weights.get(split)] or list(weights)[:1]
        ordered_classes = {unit: classes_of[unit] for unit in ordered}
        split_of |= distribute(ordered_classes, _wanted(classes_of, weights), allowed)
    return [pair if pair.split is not None else replace(pair, split=split_of[unit_of(pair)]) for pair in pairs]


def classes_in_unit(members: Iterable[Pair], classes: ClassesById) -> frozenset[int]:
    """Returns the classes in the masks of all pairs of a unit."""
    return frozenset[int]().union(*(classes.get(pair.id, ()) for pair in members))


def distribute(
    classes_of: Mapping[str, frozenset[int]], wanted: Wanted[_Part], allowed: Sequence[_Part]
) -> dict[str, _Part]:
    """Returns the part (split or fold) of each unit; of parts that lack as much, the first of `allowed`."""
    lacking = {part: Counter(wanted[part]) for part in allowed}  # A class that a part does not want is lacking 0 times.
    left = dict(classes_of)
    part_of: dict[str, _Part] = {}
    while left:
        counts = Counter(index for classes in left.values() for index in classes)
        rarest = min(counts, key=lambda index: (counts[index], index), default=ANY)
        for unit in [unit for unit, classes in left.items() if rarest == ANY or rarest in classes]:
            part = part_of[unit] = max(allowed, key=lambda part: (lacking[part][rarest], lacking[part][ANY]))
            lacking[part].subtract([ANY, *left.pop(unit)])
    return part_of


def count_classes(classes_of: Mapping[str, frozenset[int]]) -> Counter[int]:
    """Returns in how many units each class is, and the number of all units as `ANY`."""
    totals = Counter(index for classes in classes_of.values() for index in classes)
    totals[ANY] = len(classes_of)
    return totals


def _wanted(classes_of: Mapping[str, frozenset[int]], weights: dict[str, float]) -> Wanted[str]:
    wanted: Wanted[str] = {split: {} for split in weights}
    for index, count in count_classes(classes_of).items():
        for split, number in Counter(quotas(count, weights)).items():
            wanted[split][index] = number
    return wanted
