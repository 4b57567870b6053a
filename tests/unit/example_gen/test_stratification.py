"""Splits in which each value of a slicing column has its share."""

from __future__ import annotations

from collections import Counter

import pytest

from common.errors import UserError
from components.example_gen.config import Split
from components.example_gen.pairing import Pair
from components.example_gen.stratification import stratify
from tests.support.splits import a_rare_stratum

SHARES = Split(train=0.7, eval=0.15, test=0.15, stratify="kind")


def pair(number: int, kind: str, group: str | None = None, split: str | None = None) -> Pair:
    return Pair(f"{kind}-{number}", f"{number}.png", f"{number}-mask.png", split, group=group, slices={"kind": kind})


def counts(pairs: list[Pair], kind: str) -> Counter[str | None]:
    return Counter(pair.split for pair in pairs if pair.slices["kind"] == kind)


def test_each_value_has_its_share_of_every_split() -> None:
    pairs = stratify([pair(i, "common") for i in range(100)] + [pair(i, "rare") for i in range(20)], 1, SHARES)
    assert counts(pairs, "common") == {"train": 70, "eval": 15, "test": 15}
    assert counts(pairs, "rare") == {"train": 14, "eval": 3, "test": 3}


@a_rare_stratum
def test_a_rare_value_is_in_every_split_if_it_has_enough_images(number: int, expected: dict[str, int]) -> None:
    assert counts(stratify([pair(i, "rare") for i in range(number)], 1, SHARES), "rare") == expected


def test_a_group_stays_in_one_split() -> None:
    pairs = stratify([pair(i, "common", group=str(i // 4)) for i in range(80)], 1, SHARES)
    splits = {pair.group: {other.split for other in pairs if other.group == pair.group} for pair in pairs}
    assert all(len(found) == 1 for found in splits.values())
    assert counts(pairs, "common") == {"train": 56, "eval": 12, "test": 12}


def test_a_given_split_stays_and_the_same_seed_gives_the_same_splits() -> None:
    pairs = [pair(i, "common", split="test" if i < 5 else None) for i in range(40)]
    first, again, other = (stratify(pairs, seed, SHARES) for seed in (1, 1, 2))
    assert first == again != other
    assert {one.split for one in first[:5]} == {"test"}


def test_without_stratification_nothing_is_assigned() -> None:
    pairs = [pair(i, "common") for i in range(3)]
    assert stratify(pairs, 1, Split()) == pairs


def test_an_unknown_column_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UserError, match=r"data\.split\.stratify: 'colour' is not a slicing column .* there are: kind"):
        stratify([pair(1, "common")], 1, Split(stratify="colour"))
