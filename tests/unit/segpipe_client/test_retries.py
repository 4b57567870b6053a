"""Attempts: how long the pauses are, and when there is no further one."""

from __future__ import annotations

import pytest

from segpipe_client.errors import DeadlineExceededError, ServerUnavailableError
from segpipe_client.retries import Attempts


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def longest(low: float, high: float) -> float:
    assert low == 0
    return high


def test_the_limit_of_a_pause_doubles_up_to_five_seconds() -> None:
    attempts = Attempts(1000, clock=Clock(), draw=longest)
    pauses = [attempts.pause(ServerUnavailableError("busy")) for _ in range(8)]
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5]


def test_pauses_are_drawn_from_all_of_the_span() -> None:
    attempts = Attempts(1000)
    pauses = [attempts.pause(ServerUnavailableError("busy")) for _ in range(50)]
    assert len(set(pauses)) == 50
    assert all(0 <= pause <= 5 for pause in pauses)


def test_what_the_server_asks_to_wait_is_waited_at_least() -> None:
    assert Attempts(1000, clock=Clock(), draw=longest).pause(ServerUnavailableError("busy", retry_after=7)) == 7.1


def test_the_next_attempt_has_what_is_left_and_none_begins_after_the_deadline() -> None:
    clock = Clock()
    attempts = Attempts(2, clock=clock)
    assert attempts.remaining() == 2
    clock.now += 1.5
    assert attempts.remaining() == 0.5
    clock.now += 0.5
    with pytest.raises(DeadlineExceededError, match="no answer within 2 s"):
        attempts.remaining()


def test_a_pause_beyond_the_deadline_is_not_slept_through() -> None:
    clock = Clock()
    attempts = Attempts(0.35, clock=clock, draw=longest)
    for _ in range(2):
        clock.now += attempts.pause(ServerUnavailableError("busy"))
    with pytest.raises(ServerUnavailableError, match=r"^busy \(tried 3 times in 0.3 s\)$"):
        attempts.pause(ServerUnavailableError("busy"))


def test_patience_ends_before_the_deadline_and_leaves_an_attempt_its_time() -> None:
    clock = Clock()
    attempts = Attempts(30, 0.35, clock, longest)
    for _ in range(2):
        clock.now += attempts.pause(ServerUnavailableError("gone"))
    assert attempts.remaining() == pytest.approx(29.7)
    with pytest.raises(ServerUnavailableError, match=r"^gone \(tried 3 times in 0.3 s\)$"):
        attempts.pause(ServerUnavailableError("gone"))


def test_a_pause_that_lasts_beyond_the_deadline_ends_with_what_the_server_said() -> None:
    clock = Clock()
    attempts = Attempts(2, clock=clock, draw=longest)
    attempts.pause(ServerUnavailableError("busy"))
    clock.now += 3
    with pytest.raises(ServerUnavailableError, match=r"^busy \(tried once\)$"):
        attempts.remaining()
