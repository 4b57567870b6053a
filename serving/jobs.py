"""Batch jobs in memory: many images in one request, predicted one after the other while no other request runs.

Jobs and results are lost when the server ends. A job is answered by the version that it was submitted to, which stays
loaded until the job ends.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import Enum

from grpc import StatusCode

from common.plurals import counted
from segpipe_client.errors import shortened
from serving import logs
from serving.batching import Batcher, PendingRequest, Servable
from serving.errors import NotFoundError, ServingError, invalid
from serving.metrics import Metrics
from serving.model import Signature
from serving.protocol.rest_json import error_json, row_json
from serving.settings import JobLimits

_OF_ONE_IMAGE = (StatusCode.INVALID_ARGUMENT, StatusCode.DEADLINE_EXCEEDED)


class JobState(str, Enum):
    """State of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(eq=False)
class Job:
    """Batch job; `rows` are the results so far, as JSON, in the order of the images."""

    servable: Servable
    signature: Signature
    images: list[bytes]
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    created: float = field(default_factory=time.time)
    state: JobState = JobState.QUEUED
    rows: list[bytes] = field(default_factory=list)
    refused: int = 0
    error: str = ""
    hold: ExitStack = field(default_factory=ExitStack)

    @property
    def result_bytes(self) -> int:
        """Size of the results so far."""
        return sum(map(len, self.rows))


class Jobs:
    """Jobs of the server.  Not thread-safe: used on the event loop only."""

    def __init__(self, batcher: Batcher, limits: JobLimits, image_seconds: float, metrics: Metrics) -> None:
        """`image_seconds` is the time limit of one image."""
        self._batcher = batcher
        self._limits = limits
        self._image_seconds = image_seconds
        self._metrics = metrics
        self._jobs: dict[str, Job] = {}
        self._queue: deque[Job] = deque()
        self._expiries: dict[str, asyncio.TimerHandle] = {}
        self._runner: asyncio.Task[None] | None = None

    def check_room(self) -> None:
        """Refuses a further job, before its body is read.

        Raises:
            ServingError: there are too many, or jobs are switched off.
        """
        if not self._limits.count:
            raise ServingError(StatusCode.UNIMPLEMENTED, "this server takes no batch jobs: it runs with --max-jobs 0")
        if len(self._jobs) >= self._limits.count:
            raise ServingError(
                StatusCode.RESOURCE_EXHAUSTED,
                f"the server holds {counted(len(self._jobs), 'job')}: delete one whose results you have, or try again "
                "later",
            )

    def submit(self, servable: Servable, signature: Signature, images: Sequence[bytes]) -> Job:
        """Adds a job to the queue.

        Raises:
            ServingError: there are too many jobs, or too many images in this one.
        """
        self.check_room()
        if not 0 < len(images) <= self._limits.pictures:
            raise invalid(
                f"the job has {counted(len(images), 'image')}, and a job may have 1 to {self._limits.pictures}"
            )
        job = Job(servable, signature, list(images))
        job.hold.enter_context(servable)
        self._jobs[job.id] = job
        self._queue.append(job)
        self._expiries[job.id] = asyncio.get_running_loop().call_later(self._limits.seconds, self._expire, job.id)
        self._metrics.jobs_are(len(self._jobs))
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run_all())
        return job

    def find(self, name: str) -> Job:
        """Returns the job with that id.

        Raises:
            NotFoundError: there is none, or no longer.
        """
        if name not in self._jobs:
            raise NotFoundError(
                f"unknown job: {shortened(name)}; a job is gone {self._limits.seconds:g} s after it was submitted, "
                "when it is deleted, and when the server restarts"
            )
        return self._jobs[name]

    def remove(self, name: str) -> None:
        """Cancels a job if it has not ended, and forgets it with its results.

        Raises:
            NotFoundError: there is none, or no longer.
        """
        job = self.find(name)
        del self._jobs[name]
        self._expiries.pop(name).cancel()
        if job in self._queue:
            self._queue.remove(job)
            _release(job)
        job.rows.clear()
        self._metrics.jobs_are(len(self._jobs))

    def close(self) -> None:
        """Ends all jobs."""
        if self._runner:
            self._runner.cancel()
        for name in list(self._jobs):
            self.remove(name)

    def _expire(self, name: str) -> None:
        if name in self._jobs:
            logs.event("job_expired", job=name[:8], state=self._jobs[name].state.value)
            self.remove(name)

    async def _run_all(self) -> None:
        while self._queue:
            job = self._queue.popleft()
            job.state = JobState.RUNNING
            try:
                await self._run(job)
            except ServingError as error:
                _fail(job, error.message)
            except Exception as error:  # noqa: BLE001  # A bug ends this job only.
                logs.failure("job_bug", error)
                _fail(job, f"internal error: {type(error).__name__}")
            finally:
                _release(job)

    async def _run(self, job: Job) -> None:
        for index, image in enumerate(job.images):
            await self._batcher.idle()
            if job.id not in self._jobs:  # Removed in the meantime.
                return
            row = await self._row(job, image)
            job.images[index] = b""
            if job.id in self._jobs:
                self._keep(job, row)
        job.state = JobState.DONE

    async def _row(self, job: Job, image: bytes) -> bytes:
        """Returns the result of one image; a refused image does not fail the job."""
        deadline = time.monotonic() + self._image_seconds
        try:
            outputs = await self._batcher.run(PendingRequest(job.servable, job.signature, [image], deadline))
        except ServingError as error:
            if error.code not in _OF_ONE_IMAGE:
                raise
            job.refused += 1
            self._metrics.job_image_ended("refused")
            return error_json(error.message)
        self._metrics.job_image_ended("predicted")
        size = sum(values.nbytes for values in outputs.values())
        return await asyncio.to_thread(row_json, outputs) if size > 1 << 18 else row_json(outputs)

    def _keep(self, job: Job, row: bytes) -> None:
        if sum(one.result_bytes for one in self._jobs.values()) + len(row) > self._limits.result_bytes:
            raise ServingError(
                StatusCode.RESOURCE_EXHAUSTED,
                f"the results of all jobs are larger than {self._limits.result_bytes} bytes: delete those that you "
                "have, or submit fewer images",
            )
        job.rows.append(row)


def _fail(job: Job, message: str) -> None:
    job.state, job.error = JobState.FAILED, message
    job.rows.clear()


def _release(job: Job) -> None:
    """Frees the images and the version."""
    job.images = [b""] * len(job.images)
    job.hold.close()
