"""The hostile files themselves."""

from __future__ import annotations

from tests.support.hostile_pictures import MUTATORS, hostile_pictures


def test_there_are_at_least_two_thousand_that_differ_and_every_mutator_gives_some() -> None:
    files = hostile_pictures()
    assert len({file.data for file in files}) >= 2000
    assert {name for name in MUTATORS if any(file.name.startswith(name) for file in files)} == MUTATORS.keys()
    assert len({file.name for file in files}) == len(files)


def test_they_are_the_same_each_time_and_others_for_another_seed() -> None:
    assert hostile_pictures() == hostile_pictures()
    assert {file.data for file in hostile_pictures(seed=1)} != {file.data for file in hostile_pictures()}


def test_none_of_them_is_large() -> None:
    assert max(len(file.data) for file in hostile_pictures()) < 1_000_000
