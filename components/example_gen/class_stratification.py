"""Splits that are stratified by the classes in the masks: each class gets its share of every split.

An image has several classes, so there are no strata.  This is iterative stratification (Sechidis et al. 2011, "On the
stratification of multi-label data"): the rarest class is distributed first, each of its images to the split that lacks
that class most.  A group is one unit, with all classes of its images.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace

from components.example_gen.config import Split
from components.example_gen.pairing import Pair
from components.example_gen.splits import PROTECTED, hashed_share
from components.example_gen.stratification import quotas, unit_of, units_of

ClassesById = Mapping[str, Set[int]]
"""Pair's id → classes in its mask."""

_Wanted = dict[str, Counter[int]]
"""Split → class → number of units that it still lacks; negative if it has more than its share."""
_ANY = -1
"""Place of the number of all units in `_Wanted`."""


def stratify_by_classes(pairs: Sequence[Pair], classes: ClassesById, seed: int, shares: Split) -> list[Pair]:
    """Assigns the pairs without a given split; the order within a class is by a hash of their group or id.

    A class in at least as many groups as there are splits with a share is in each of them, unless rarer classes that
    occur in the same images decide otherwise.  A pair that `classes` lacks, because its mask cannot be read, has none.
    """
    units: defaultdict[tuple[str, ...], dict[str, frozenset[int]]] = defaultdict(dict)
    for unit, members in units_of(pairs).items():
        found = frozenset[int]().union(*(classes.get(pair.id, ()) for pair in members))
        units[members[0].among][unit] = found
    split_of: dict[str, str] = {}
    for among, classes_of in units.items():
        ordered = sorted(classes_of, key=lambda unit: (hashed_share(seed, unit), unit))
        split_of |= _distribute({unit: classes_of[unit] for unit in ordered}, {s: getattr(shares, s) for s in among})
    return [pair if pair.split is not None else replace(pair, split=split_of[unit_of(pair)]) for pair in pairs]


def _distribute(classes_of: Mapping[str, frozenset[int]], weights: dict[str, float]) -> dict[str, str]:
    """Returns the split of each unit."""
    wanted, left = _wanted(classes_of, weights), dict(classes_of)
    split_of: dict[str, str] = {}
    while left:
        counts = Counter(index for classes in left.values() for index in classes)
        rarest = min(counts, key=lambda index: (counts[index], index), default=_ANY)
        for unit in [unit for unit, classes in left.items() if rarest == _ANY or rarest in classes]:
            split = split_of[unit] = _lacking_most(wanted, rarest, weights)
            wanted[split].subtract([_ANY, *left.pop(unit)])
    return split_of


def _wanted(classes_of: Mapping[str, frozenset[int]], weights: dict[str, float]) -> _Wanted:
    totals = Counter(index for classes in classes_of.values() for index in classes)
    totals[_ANY] = len(classes_of)
    wanted: _Wanted = {split: Counter() for split in weights}
    for index, count in totals.items():
        for split, number in Counter(quotas(count, weights)).items():
            wanted[split][index] = number
    return wanted


def _lacking_most(wanted: _Wanted, index: int, weights: dict[str, float]) -> str:
    """Returns the split that lacks most units of a class; if several do, most units at all."""
    allowed = [split for split in PROTECTED if weights.get(split)] or list(weights)[:1]
    return max(allowed, key=lambda split: (wanted[split][index], wanted[split][_ANY]))
