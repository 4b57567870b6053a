"""Counted nouns."""

from __future__ import annotations

from common.plurals import counted


def test_one_is_singular_and_all_others_are_plural() -> None:
    assert [counted(number, "image") for number in (0, 1, 2)] == ["0 images", "1 image", "2 images"]


def test_the_verb_agrees() -> None:
    assert counted(1, "row does", "rows do") == "1 row does"
    assert counted(3, "row does", "rows do") == "3 rows do"


def test_a_time_is_as_short_as_it_can_be() -> None:
    assert [counted(minutes, "minute") for minutes in (1.0, 0.5, 90.0)] == ["1 minute", "0.5 minutes", "90 minutes"]
