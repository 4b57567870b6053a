"""Reference distributions, and requests for a retraining, in a registry."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from registry.errors import CorruptRecordError, UnknownVersionError
from registry.storage import open_storage
from registry.store import Registry

DAY = datetime.timedelta(days=1)


def test_a_reference_is_kept_and_may_be_written_again(uri: str, push: Callable[..., Any]) -> None:
    push(uri, "a")
    registry = Registry(uri)
    assert registry.reference(1) is None
    registry.write_reference(1, "before")
    registry.write_reference(1, '{"split": "größer"}')
    assert registry.reference(1) == '{"split": "größer"}'
    registry.verify(1)
    registry.check_there()
    with pytest.raises(UnknownVersionError):
        registry.write_reference(2, "x")


def test_one_run_is_requested_in_a_time(uri: str, push: Callable[..., Any]) -> None:
    push(uri, "a")
    registry = Registry(uri)
    assert registry.latest_retraining() is None
    first = registry.request_retraining(1, "brightness", DAY)
    assert first is not None
    assert registry.request_retraining(1, "brightness", DAY) is None
    registry.record_retraining(first.model_copy(update={"run": "run 7"}))
    latest = registry.latest_retraining()
    assert latest is not None
    assert (latest.number, latest.version, latest.run, latest.reason) == (1, 1, "run 7", "brightness")
    again = registry.request_retraining(1, "contrast", datetime.timedelta(0))
    assert again is not None
    assert again.number == 2


def test_a_request_that_could_not_be_met_does_not_count(uri: str, push: Callable[..., Any]) -> None:
    push(uri, "a")
    registry = Registry(uri)
    first = registry.request_retraining(1, "brightness", DAY)
    assert first is not None
    registry.record_retraining(first.model_copy(update={"error": "Kubeflow does not answer"}))
    assert registry.request_retraining(1, "brightness", DAY) is not None


def test_of_several_monitors_one_starts_a_run(uri: str, push: Callable[..., Any]) -> None:
    push(uri, "a")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: Registry(uri).request_retraining(1, "x", DAY), range(8)))
    assert sum(request is not None for request in found) == 1


def test_a_damaged_record_is_named(uri: str, push: Callable[..., Any]) -> None:
    push(uri, "a")
    with open_storage(uri).writer("x") as writer:
        assert writer.create("retraining/1.json", b"{}")
        assert not writer.create("retraining/1.json", b"other")
    with pytest.raises(CorruptRecordError, match=r"retraining/1.json cannot be read; remove it"):
        Registry(uri).latest_retraining()
