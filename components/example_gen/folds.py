"""Folds of cross-validation: the pairs outside the test split, in K parts of equal shares.

Fold 1 is the split eval and the others are train, so that all steps that know three splits stay as they are.  Which
pairs are in test does not depend on the number of folds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from components.example_gen.class_stratification import ClassesById, classes_in_unit, count_classes, distribute
from components.example_gen.pairing import Pair
from components.example_gen.splits import Candidate, hashed_share
from components.example_gen.stratification import most_frequent_value, unit_of, units_of

TEST = "test"
NO_FOLD = 0
"""Fold of the pairs of the test split."""


def split_of_fold(fold: int) -> str:
    """Returns the split that a fold is a part of."""
    return "eval" if fold == 1 else "train"


def without_eval(pairs: Iterable[Pair]) -> list[Pair]:
    """Moves the pairs with the given split eval to train: only test is kept apart from the folds."""
    return [replace(pair, split="train") if pair.split == "eval" else pair for pair in pairs]


def with_fold(candidate: Candidate, seed: int, folds: int) -> Candidate:
    """Returns the candidate with its fold: the stratified one, or that of a hash of its group, or else its content."""
    if candidate.split == TEST:
        return replace(candidate, fold=NO_FOLD)
    pair = candidate.pair
    fold = pair.fold or 1 + int(folds * _share(seed, candidate.content if pair.group is None else pair.group))
    return replace(candidate, fold=fold, split=split_of_fold(fold))


def fold_by_strata(pairs: Sequence[Pair], seed: int, column: str, folds: int) -> list[Pair]:
    """Gives each pair outside test a fold: each value of a slicing column has equally many groups in every fold, ±1.

    The groups of one value after the other are dealt out in turn, so that the folds too are of equal size, ±1.
    """
    units = _units_outside_test(pairs)
    strata: defaultdict[str, list[str]] = defaultdict(list)
    for unit, members in units.items():
        strata[most_frequent_value(members, column)].append(unit)
    ordered = [unit for value in sorted(strata) for unit in _shuffled(strata[value], seed)]
    fold_of = {unit: 1 + place % folds for place, unit in enumerate(ordered)}
    return _with_folds(pairs, fold_of.__getitem__)


def fold_by_classes(pairs: Sequence[Pair], classes: ClassesById, seed: int, folds: int) -> list[Pair]:
    """Gives each pair outside test a fold by iterative stratification over the classes in the masks."""
    units = _units_outside_test(pairs)
    classes_of = {unit: classes_in_unit(units[unit], classes) for unit in _shuffled(units, seed)}
    share = {index: count / folds for index, count in count_classes(classes_of).items()}
    numbers = range(1, folds + 1)
    fold_of = distribute(classes_of, {fold: dict(share) for fold in numbers}, numbers)
    return _with_folds(pairs, fold_of.__getitem__)


def _units_outside_test(pairs: Iterable[Pair]) -> dict[str, list[Pair]]:
    return units_of(replace(pair, split=None) for pair in pairs if pair.split != TEST)


def _shuffled(units: Iterable[str], seed: int) -> list[str]:
    return sorted(units, key=lambda unit: (_share(seed, unit), unit))


def _share(seed: int, key: str) -> float:
    """Returns another number than the one that has decided on the split."""
    return hashed_share(seed, f"fold:{key}")


def _with_folds(pairs: Iterable[Pair], fold_of: Callable[[str], int]) -> list[Pair]:
    return [pair if pair.split == TEST else _in_fold(pair, fold_of(unit_of(pair))) for pair in pairs]


def _in_fold(pair: Pair, fold: int) -> Pair:
    return replace(pair, fold=fold, split=split_of_fold(fold))
