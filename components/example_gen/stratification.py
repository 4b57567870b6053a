"""Stratified splits: each value of a slicing column gets its share of every split, and a group stays in one split.

`class_stratification` does the same for the classes that occur in the masks.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from common.errors import UserError
from components.example_gen.config import Split
from components.example_gen.pairing import Pair
from components.example_gen.splits import PROTECTED, hashed_share


def stratify(pairs: Sequence[Pair], seed: int, shares: Split) -> list[Pair]:
    """Assigns the pairs without a given split by `shares.stratify`, the order being a hash of their group or id.

    A value with at least as many groups as there are splits with a share has images in each of them.

    Raises:
        UserError: no pair has the slicing column.
    """
    column = shares.stratify
    if column is None:
        return list(pairs)
    if pairs and not any(column in pair.slices for pair in pairs):
        known = ", ".join(sorted({name for pair in pairs for name in pair.slices})) or "none"
        raise UserError(f"data.split.stratify: {column!r} is not a slicing column of the data; there are: {known}")
    units: defaultdict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for unit, members in units_of(pairs).items():
        units[most_frequent_value(members, column), members[0].among].append(unit)
    split_of: dict[str, str] = {}
    for (_, among), names in units.items():
        ordered = sorted(names, key=lambda name: (hashed_share(seed, name), name))
        split_of |= zip(ordered, quotas(len(ordered), {split: getattr(shares, split) for split in among}), strict=True)
    return [pair if pair.split is not None else replace(pair, split=split_of[unit_of(pair)]) for pair in pairs]


def unit_of(pair: Pair) -> str:
    """Returns the name of what must stay together: a group, or else the pair itself."""
    return f"pair:{pair.id}" if pair.group is None else f"group:{pair.group}"


def units_of(pairs: Iterable[Pair]) -> dict[str, list[Pair]]:
    """Returns the pairs without a given split by what must stay together."""
    units: defaultdict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        if pair.split is None:
            units[unit_of(pair)].append(pair)
    return units


def most_frequent_value(members: Sequence[Pair], column: str) -> str:
    """Returns the most frequent value of a slicing column in a group's pairs."""
    counts = Counter(pair.slices.get(column, "") for pair in members)
    return min(counts, key=lambda value: (-counts[value], value))


def quotas(count: int, weights: dict[str, float]) -> list[str]:
    """Returns the split of each of `count` units: in proportion, the rest by the largest remainders, none empty."""
    total = sum(weights.values())
    if total == 0:
        return [next(iter(weights))] * count
    exact = {split: count * weight / total for split, weight in weights.items()}
    quota = {split: int(value + 1e-9) for split, value in exact.items()}
    by_remainder = sorted(exact, key=lambda split: (quota[split] - exact[split], PROTECTED.index(split)))
    for split in by_remainder[: count - sum(quota.values())]:
        quota[split] += 1
    for split in PROTECTED:  # A small stratum is in the evaluation first.
        if weights.get(split) and not quota[split] and max(quota.values()) > 1:
            quota[max(quota, key=lambda name: quota[name])] -= 1
            quota[split] += 1
    return [split for split, number in quota.items() for _ in range(number)]
