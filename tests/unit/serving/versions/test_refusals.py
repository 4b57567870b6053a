"""When a version that was refused is tried again."""

from __future__ import annotations

import pytest

from serving.versions import refusals as module
from serving.versions.refusals import LAST_RETRY_SECONDS, Refusals


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_each_refusal_doubles_the_wait_to_five_minutes(clock: list[float]) -> None:
    refusals = Refusals()
    assert [refusals.refuse(3) for _ in range(8)] == [5, 10, 20, 40, 80, 160, 300, LAST_RETRY_SECONDS]


def test_a_version_is_held_until_its_wait_is_over(clock: list[float]) -> None:
    refusals = Refusals()
    assert not refusals.holds(3)
    wait = refusals.refuse(3)
    clock[0] += wait - 0.1
    assert refusals.holds(3)
    assert not refusals.holds(4)
    clock[0] += 0.1
    assert not refusals.holds(3)


def test_a_version_that_was_loaded_begins_anew(clock: list[float]) -> None:
    refusals = Refusals()
    refusals.refuse(3)
    refusals.refuse(3)
    refusals.forgive(3)
    assert not refusals.holds(3)
    assert refusals.refuse(3) == 5


def test_all_can_be_tried_at_once(clock: list[float]) -> None:
    refusals = Refusals()
    refusals.refuse(3)
    refusals.clear()
    assert not refusals.holds(3)
