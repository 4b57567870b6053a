"""Requests run together, with a graph that is a Python function."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from grpc import StatusCode

from serving.batching import Batcher, PendingRequest, Servable
from serving.errors import ServingError, invalid
from serving.metrics import Metrics
from serving.model import Outputs, Signature
from serving.settings import Batching


class Graph:
    """Answers each input with its length; refuses what begins with `bad`."""

    def __init__(self, seconds: float = 0) -> None:
        self.calls: list[list[bytes]] = []
        self.go_on = threading.Event()
        self.go_on.set()
        self._seconds = seconds

    def run(self, _: Signature, inputs: Sequence[bytes], seconds: float) -> Outputs:
        self.calls.append(list(inputs))
        self.go_on.wait(10)
        time.sleep(min(self._seconds, max(0, seconds)))
        if self._seconds > seconds:
            raise ServingError(StatusCode.DEADLINE_EXCEEDED, "too long")
        if any(text.startswith(b"bad") for text in inputs):
            raise invalid("refused")
        return {"length": np.array([len(text) for text in inputs])}


def signature(name: str = "serving_default") -> Signature:
    from tensorflow.core.protobuf import meta_graph_pb2

    return Signature(name, meta_graph_pb2.SignatureDef())


def servable(graph: Graph) -> Servable:
    return Servable("tiny", 1, graph)  # type: ignore[arg-type]


def run(test: Callable[[Batcher], object], **settings: object) -> None:
    """Runs the coroutine `test` with a batcher of one worker unless told otherwise."""

    async def main() -> None:
        batcher = Batcher(Batching(**{"workers": 1} | settings), Metrics())  # type: ignore[arg-type]
        await test(batcher)  # type: ignore[misc]
        await asyncio.sleep(0)
        assert batcher.running == 0
        batcher.close()

    asyncio.run(main())


def request(on: Servable, *inputs: bytes, seconds: float = 10, name: str = "serving_default") -> PendingRequest:
    return PendingRequest(on, signature(name), list(inputs), time.monotonic() + seconds)


async def outcomes(batcher: Batcher, requests: Sequence[PendingRequest]) -> list[object]:
    return await asyncio.gather(*(batcher.run(one) for one in requests), return_exceptions=True)


def test_what_comes_while_the_worker_is_busy_is_run_together_in_its_order() -> None:
    graph = Graph()

    async def test(batcher: Batcher) -> None:
        on = servable(graph)
        graph.go_on.clear()
        texts = [b"", b"a", b"bb", b"ccc", b"dddd"]
        answers = asyncio.create_task(outcomes(batcher, [request(on, text) for text in texts]))
        await asyncio.sleep(0.05)
        graph.go_on.set()
        assert [int(answer["length"][0]) for answer in await answers] == [0, 1, 2, 3, 4]  # type: ignore[index]

    run(test)
    assert graph.calls == [[b""], [b"a", b"bb", b"ccc", b"dddd"]]


def test_a_request_is_neither_split_nor_joined_beyond_the_size_of_a_batch() -> None:
    graph = Graph()

    async def test(batcher: Batcher) -> None:
        on = servable(graph)
        graph.go_on.clear()
        requests = [request(on, b"a"), request(on, b"b", b"c"), request(on, b"d", b"e"), request(on, b"f")]
        answers = asyncio.create_task(outcomes(batcher, [*requests, request(on, *[b"g"] * 5)]))
        await asyncio.sleep(0.05)
        graph.go_on.set()
        assert [len(answer["length"]) for answer in await answers] == [1, 2, 2, 1, 5]  # type: ignore[index]

    run(test, pictures=3)
    assert graph.calls == [[b"a"], [b"b", b"c", b"f"], [b"d", b"e"], [b"g"] * 5]


def test_other_signatures_and_other_versions_are_not_run_together() -> None:
    graph = Graph()

    async def test(batcher: Batcher) -> None:
        old, new = servable(graph), servable(graph)
        graph.go_on.clear()
        requests = [
            request(old, b"a"),
            request(old, b"b"),
            request(new, b"c"),
            request(old, b"d", name="probabilities"),
        ]
        answers = asyncio.create_task(outcomes(batcher, requests))
        await asyncio.sleep(0.05)
        graph.go_on.set()
        await answers

    run(test)
    assert graph.calls == [[b"a"], [b"b"], [b"c"], [b"d"]]


def test_a_refused_batch_is_run_again_request_by_request() -> None:
    graph = Graph()

    async def test(batcher: Batcher) -> None:
        on = servable(graph)
        requests = [request(on, b"a"), request(on, b"bad"), request(on, b"cc")]
        first, second, third = await outcomes(batcher, requests)
        assert isinstance(second, ServingError)
        assert [int(answer["length"][0]) for answer in (first, third)] == [1, 2]  # type: ignore[index]

    run(test, wait_seconds=0.05)
    assert graph.calls == [[b"a", b"bad", b"cc"], [b"a"], [b"bad"], [b"cc"]]


def test_a_request_waits_for_others_only_as_long_as_it_is_told() -> None:
    graph = Graph()

    async def test(batcher: Batcher) -> None:
        on = servable(graph)
        began = time.monotonic()
        await batcher.run(request(on, b"a"))
        assert 1 <= time.monotonic() - began < 3
        began = time.monotonic()
        await outcomes(batcher, [request(on, b"b"), request(on, b"c")])
        assert time.monotonic() - began < 0.9, "a full batch does not wait"

    run(test, wait_seconds=1, pictures=2)


def test_a_request_whose_time_is_up_is_told_so_and_not_run() -> None:
    graph = Graph()

    async def test(batcher: Batcher) -> None:
        on = servable(graph)
        graph.go_on.clear()
        running = asyncio.create_task(batcher.run(request(on, b"a")))
        await asyncio.sleep(0.02)
        with pytest.raises(ServingError, match="the deadline passed"):
            await batcher.run(request(on, b"b", seconds=0.05))
        graph.go_on.set()
        await running

    run(test)
    assert graph.calls == [[b"a"]]


def test_a_client_that_goes_away_while_it_waits_is_not_run() -> None:
    graph = Graph()

    async def test(batcher: Batcher) -> None:
        on = servable(graph)
        graph.go_on.clear()
        running, gone = (asyncio.create_task(batcher.run(request(on, text))) for text in (b"a", b"b"))
        await asyncio.sleep(0.02)
        gone.cancel()
        graph.go_on.set()
        await running

    run(test)
    assert graph.calls == [[b"a"]]


def test_a_batch_is_stopped_when_the_last_of_its_deadlines_passes() -> None:
    graph = Graph(seconds=5)

    async def test(batcher: Batcher) -> None:
        on = servable(graph)
        began = time.monotonic()
        answers = await outcomes(batcher, [request(on, b"a", seconds=0.1), request(on, b"b", seconds=0.2)])
        assert all(isinstance(answer, ServingError) for answer in answers)
        await on.unused()
        assert time.monotonic() - began < 2

    run(test, wait_seconds=0.02)


def test_a_version_is_in_use_until_its_last_batch_has_ended_even_if_nobody_waits_for_it() -> None:
    graph = Graph()

    async def test(batcher: Batcher) -> None:
        on = servable(graph)
        graph.go_on.clear()
        with pytest.raises(ServingError):
            await batcher.run(request(on, b"a", seconds=0.05))
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(on.unused(), 0.05)
        graph.go_on.set()
        await on.unused()

    run(test)


def test_a_bug_in_a_batch_reaches_those_who_wait_and_the_next_batch_runs() -> None:
    graph = Graph()

    async def test(batcher: Batcher) -> None:
        with pytest.raises(AttributeError):
            await batcher.run(request(servable(None), b"a"))  # type: ignore[arg-type]
        await batcher.run(request(servable(graph), b"b"))

    run(test)
    assert graph.calls == [[b"b"]]


class Log:
    """Stands in for the request log: keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, bool, str, str]] = []

    def add(self, facts: tuple, inputs: Sequence[bytes], outputs: object, status: str, error: str) -> None:
        model, version, name, seconds = facts
        assert (model, version, name) == ("tiny", 1, "serving_default")
        assert seconds >= 0
        self.told.append((inputs[0].decode(), outputs is not None, status, error))


def test_every_request_is_logged_with_its_outcome() -> None:
    log, graph = Log(), Graph()

    async def test() -> None:
        batcher = Batcher(Batching(workers=1), Metrics(), log)  # type: ignore[arg-type]
        used = servable(graph)

        async def ask(text: bytes, seconds: float = 10) -> object:
            return await batcher.run(PendingRequest(used, signature(), [text], time.monotonic() + seconds))

        await ask(b"fine")
        with pytest.raises(ServingError):
            await ask(b"bad")
        graph.go_on.clear()
        with pytest.raises(ServingError):
            await ask(b"late", seconds=0.05)
        gone = asyncio.create_task(ask(b"gone"))
        await asyncio.sleep(0.05)
        gone.cancel()
        graph.go_on.set()
        await asyncio.wait([gone])
        while batcher.running:
            await asyncio.sleep(0.01)
        batcher.close()

    asyncio.run(test())
    assert log.told == [
        ("fine", True, "OK", ""),
        ("bad", False, "INVALID_ARGUMENT", "refused"),
        ("late", False, "DEADLINE_EXCEEDED", "the deadline passed before the response was ready"),
        ("gone", False, "CANCELLED", ""),
    ]
