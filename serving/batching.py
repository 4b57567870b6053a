"""Dynamic batching: a batch consists of the requests that arrived while the workers were busy.

A request that the model refuses does not fail the others: a refused batch is run again request by request.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from grpc import StatusCode

from serving.errors import ServingError, deadline_passed
from serving.metrics import Metrics
from serving.model import Model, Outputs, Signature
from serving.request_log.pending import Answered
from serving.settings import Batching

if TYPE_CHECKING:
    from serving.request_log.writer import RequestLog

Outcome = Outputs | ServingError


class Servable:
    """Loaded version with a count of its users, so that it is closed only when unused."""

    def __init__(self, name: str, version: int, model: Model) -> None:
        self.name = name
        self.version = version
        self.model = model
        self._users = 0
        self._free = asyncio.Event()
        self._free.set()

    def signature(self, name: str) -> Signature | None:
        """Returns the signature of that name; an empty name means `serving_default`."""
        return self.model.signature(name)

    def __enter__(self) -> Servable:
        self._users += 1
        self._free.clear()
        return self

    def __exit__(self, *_: object) -> None:
        self._users -= 1
        if not self._users:
            self._free.set()

    async def unused(self) -> None:
        """Returns once nobody uses the version."""
        await self._free.wait()


@dataclass(eq=False)
class PendingRequest:
    """Request in the queue; times are of the monotonic clock."""

    servable: Servable
    signature: Signature
    inputs: list[bytes]
    deadline: float
    since: float = field(default_factory=time.monotonic)
    answer: asyncio.Future[Outputs] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def fits(self, other: PendingRequest) -> bool:
        """Whether both can share one call of the graph."""
        return self.servable is other.servable and self.signature.name == other.signature.name


class Batcher:
    """Runs requests in a few threads.  Only the graph calls run in threads, all else on the event loop."""

    def __init__(self, settings: Batching, metrics: Metrics, log: RequestLog | None = None) -> None:
        """Requests of all protocols go through it, so it adds them to the request log, if there is one."""
        self._settings = settings
        self._metrics = metrics
        self._log = log
        self._waiting: deque[PendingRequest] = deque()
        self._executor = ThreadPoolExecutor(settings.workers, thread_name_prefix="batch")
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def running(self) -> int:
        """Number of running batches."""
        return len(self._tasks)

    @property
    def waiting(self) -> int:
        """Number of requests that wait for a batch."""
        return len(self._waiting)

    async def run(self, waiting: PendingRequest) -> Outputs:
        """Runs one request, perhaps in a batch, and returns its outputs.

        Raises:
            ServingError: the model refuses it, or its deadline has passed.
        """
        try:
            outputs = await self._answer(waiting)
        except BaseException as error:
            self._record(waiting, None, error)
            raise
        self._record(waiting, outputs)
        return outputs

    def _record(self, request: PendingRequest, outputs: Outputs | None, error: BaseException | None = None) -> None:
        if self._log is None:
            return
        servable, seconds = request.servable, time.monotonic() - request.since
        answered = Answered(servable.name, servable.version, request.signature.name, seconds)
        message = error.message if isinstance(error, ServingError) else ""
        self._log.add(answered, request.inputs, outputs, _status_of(error).name, message)

    async def _answer(self, waiting: PendingRequest) -> Outputs:
        self._waiting.append(waiting)
        self._start_batches()
        self._note_idle()
        try:
            return await asyncio.wait_for(waiting.answer, max(0, waiting.deadline - time.monotonic()))
        except asyncio.TimeoutError:
            raise deadline_passed() from None
        finally:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
                self._note_idle()

    async def idle(self) -> None:
        """Returns once no request waits or runs."""
        while not self._idle.is_set():  # Another request may have come since the event was set.
            await self._idle.wait()

    def close(self) -> None:
        """Rejects further requests; does not wait for running ones."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _start_batches(self) -> None:
        while self.running < self._settings.workers and (batch := self._next_batch()):
            task = asyncio.create_task(self._run_batch(batch))
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._start_batches()
        self._note_idle()

    def _note_idle(self) -> None:
        if self._tasks or self._waiting:
            self._idle.clear()
        else:
            self._idle.set()

    def _next_batch(self) -> list[PendingRequest]:
        """Returns the oldest request and those that fit with it; empty while waiting for a fuller batch."""
        if not self._waiting:
            return []
        first, *others = self._waiting
        batch, pictures = [first], len(first.inputs)
        for other in others:
            if first.fits(other) and pictures + len(other.inputs) <= self._settings.pictures:
                batch.append(other)
                pictures += len(other.inputs)
        wait = first.since + self._settings.wait_seconds - time.monotonic()
        if wait > 0 and pictures < self._settings.pictures:
            asyncio.get_running_loop().call_later(wait, self._start_batches)
            return []
        for request in batch:
            self._waiting.remove(request)
        return batch

    async def _run_batch(self, batch: list[PendingRequest]) -> None:
        self._metrics.batch_started(len(batch), [time.monotonic() - request.since for request in batch])
        with batch[0].servable:
            try:
                outcomes = await asyncio.get_running_loop().run_in_executor(
                    self._executor, outcomes_of, batch, self._metrics
                )
            except Exception as error:  # noqa: BLE001  # Any error must reach the waiting requests.
                for request in batch:
                    if not request.answer.done():
                        request.answer.set_exception(error)
                return
        for request, outcome in zip(batch, outcomes, strict=True):
            if request.answer.done():
                continue
            if isinstance(outcome, ServingError):
                request.answer.set_exception(outcome)
            else:
                request.answer.set_result(outcome)


def outcomes_of(batch: Sequence[PendingRequest], metrics: Metrics) -> list[Outcome]:
    """Runs a batch and returns each request's outcome; blocks."""
    outcome = _outcome(batch, metrics)
    if not isinstance(outcome, ServingError):
        return _shared_out(outcome, [len(request.inputs) for request in batch])
    if outcome.code is StatusCode.INVALID_ARGUMENT and len(batch) > 1:
        return [_outcome([request], metrics) for request in batch]
    return [outcome] * len(batch)


def _outcome(batch: Sequence[PendingRequest], metrics: Metrics) -> Outcome:
    first = batch[0]
    inputs = [encoded for request in batch for encoded in request.inputs]
    began = time.monotonic()
    seconds = max(request.deadline for request in batch) - began
    try:
        return first.servable.model.run(first.signature, inputs, seconds)
    except ServingError as error:
        return error
    finally:
        metrics.graph_ran(first.servable.name, time.monotonic() - began)


def _shared_out(outputs: Outputs, counts: Sequence[int]) -> list[Outcome]:
    shares: list[Outcome] = []
    begin = 0
    for count in counts:
        shares.append({name: values_B[begin : begin + count] for name, values_B in outputs.items()})
        begin += count
    return shares


def _status_of(error: BaseException | None) -> StatusCode:
    if error is None:
        return StatusCode.OK
    if isinstance(error, ServingError):
        return error.code
    return StatusCode.INTERNAL if isinstance(error, Exception) else StatusCode.CANCELLED
