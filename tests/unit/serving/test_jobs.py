"""Batch jobs, with a graph that is a Python function."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import numpy as np
import pytest
from tensorflow.core.protobuf import meta_graph_pb2

from serving.batching import Batcher, PendingRequest, Servable
from serving.errors import NotFoundError, ServingError, invalid
from serving.jobs import Job, Jobs, JobState
from serving.metrics import Metrics
from serving.model import Outputs, Signature
from serving.settings import Batching, JobLimits

SIGNATURE = Signature("serving_default", meta_graph_pb2.SignatureDef())


class Graph:
    """Answers each input with its length; refuses what begins with `bad`."""

    def __init__(self) -> None:
        self.calls: list[list[bytes]] = []
        self.go_on = threading.Event()
        self.go_on.set()

    def run(self, _: Signature, inputs: Sequence[bytes], seconds: float) -> Outputs:
        self.calls.append(list(inputs))
        self.go_on.wait(10)
        if any(text.startswith(b"bad") for text in inputs):
            raise invalid("picture refused")
        if any(text.startswith(b"bug") for text in inputs):
            raise RuntimeError
        return {"length": np.array([len(text) for text in inputs])}


def run(test: Callable[[Graph, Servable, Batcher, Jobs], Coroutine[Any, Any, None]], **limits: Any) -> None:
    async def main() -> None:
        graph, metrics = Graph(), Metrics()
        batcher = Batcher(Batching(workers=1), metrics)
        jobs = Jobs(batcher, JobLimits(**limits), 5, metrics)
        on = Servable("tiny", 1, graph)  # type: ignore[arg-type]
        await test(graph, on, batcher, jobs)
        jobs.close()
        await asyncio.sleep(0)
        graph.go_on.set()
        await asyncio.wait_for(on.unused(), 5)
        batcher.close()

    asyncio.run(main())


async def ended(job: Job) -> None:
    until = time.monotonic() + 5
    while job.state in (JobState.QUEUED, JobState.RUNNING):
        assert time.monotonic() < until
        await asyncio.sleep(0.01)


def rows(job: Job) -> list[Any]:
    return [json.loads(row) for row in job.rows]


def test_each_image_has_its_row_and_a_refused_one_its_reason() -> None:
    async def test(graph: Graph, on: Servable, _: Batcher, jobs: Jobs) -> None:
        job = jobs.submit(on, SIGNATURE, [b"a", b"bad", b"ccc"])
        assert job.state is JobState.QUEUED
        await ended(job)
        assert rows(job) == [{"length": 1}, {"error": "picture refused"}, {"length": 3}]
        assert (job.state, job.refused, job.images) == (JobState.DONE, 1, [b""] * 3)
        assert graph.calls == [[b"a"], [b"bad"], [b"ccc"]], "one image at a time"

    run(test)


def test_requests_of_clients_go_before_the_next_image() -> None:
    async def test(graph: Graph, on: Servable, batcher: Batcher, jobs: Jobs) -> None:
        graph.go_on.clear()
        job = jobs.submit(on, SIGNATURE, [b"1", b"2"])
        await asyncio.sleep(0.05)
        deadline = time.monotonic() + 5
        clients = [asyncio.create_task(batcher.run(PendingRequest(on, SIGNATURE, [b"x"], deadline))) for _ in "abc"]
        await asyncio.sleep(0.05)
        graph.go_on.set()
        await asyncio.gather(*clients)
        await ended(job)
        assert graph.calls == [[b"1"], [b"x", b"x", b"x"], [b"2"]]

    run(test)


def test_jobs_run_one_after_the_other_and_a_bug_ends_its_own() -> None:
    async def test(graph: Graph, on: Servable, _: Batcher, jobs: Jobs) -> None:
        first, second = jobs.submit(on, SIGNATURE, [b"bug", b"b"]), jobs.submit(on, SIGNATURE, [b"c"])
        await ended(second)
        assert (first.state, first.error, first.rows) == (JobState.FAILED, "internal error: RuntimeError", [])
        assert rows(second) == [{"length": 1}]
        assert graph.calls == [[b"bug"], [b"c"]]

    run(test)


def test_a_removed_job_frees_its_version_and_stops() -> None:
    async def test(graph: Graph, on: Servable, _: Batcher, jobs: Jobs) -> None:
        graph.go_on.clear()
        running, queued = jobs.submit(on, SIGNATURE, [b"a"] * 9), jobs.submit(on, SIGNATURE, [b"b"])
        await asyncio.sleep(0.05)
        jobs.remove(queued.id)
        jobs.remove(running.id)
        with pytest.raises(NotFoundError):
            jobs.find(running.id)
        graph.go_on.set()
        await asyncio.wait_for(on.unused(), 5)
        assert graph.calls == [[b"a"]]

    run(test)


def test_a_job_is_gone_after_its_time() -> None:
    async def test(graph: Graph, on: Servable, _: Batcher, jobs: Jobs) -> None:
        job = jobs.submit(on, SIGNATURE, [b"a"])
        await ended(job)
        assert jobs.find(job.id) is job
        await asyncio.sleep(0.4)
        with pytest.raises(NotFoundError, match=r"gone 0\.3 s after it was submitted"):
            jobs.find(job.id)

    run(test, seconds=0.3)


def test_jobs_images_and_results_are_limited() -> None:
    async def test(graph: Graph, on: Servable, _: Batcher, jobs: Jobs) -> None:
        for images in ([], [b"a"] * 201):
            with pytest.raises(ServingError, match="a job may have 1 to 200"):
                jobs.submit(on, SIGNATURE, images)
        large, second = jobs.submit(on, SIGNATURE, [b"a"] * 200), jobs.submit(on, SIGNATURE, [b"a"])
        with pytest.raises(ServingError, match="holds 2 jobs: delete one"):
            jobs.submit(on, SIGNATURE, [b"a"])
        await ended(second)
        assert (large.state, large.rows) == (JobState.FAILED, [])
        assert "larger than 1024 bytes" in large.error
        assert second.state is JobState.DONE

    run(test, count=2, pictures=200, result_bytes=1024)


def test_jobs_can_be_switched_off() -> None:
    async def test(graph: Graph, on: Servable, _: Batcher, jobs: Jobs) -> None:
        with pytest.raises(ServingError, match="--max-jobs 0"):
            jobs.submit(on, SIGNATURE, [b"a"])

    run(test, count=0)
