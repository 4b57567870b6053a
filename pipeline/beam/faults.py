"""Faults of an engine behind the error of a step, as one sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator

from common.errors import RESUME, UserError, user_error_in
from pipeline.beam.config import FlinkBeam, SparkBeam

_AGAIN = f"then {RESUME}"
_LOST_WORKER = re.compile(r"CANCELLED: client cancelled|Multiplexer hanging up")
_LOST_MACHINE = re.compile(
    r"TaskManager with id \S+ (?:timed out|is no longer reachable)|Connection unexpectedly closed"
)
_NO_SLOTS = re.compile(r"NoResourceAvailableException|Could not acquire the minimum required resources")
_NO_HEAP = re.compile(r"java\.lang\.OutOfMemoryError: ([\w ]+)")


def engine_fault_in(error: BaseException, beam: FlinkBeam | SparkBeam) -> UserError | None:
    """Returns the sentence for an error that the engine has caused; `None` for an error of the step itself."""
    if user_error_in(error) is not None:
        return None
    causes = list(_causes(error))
    if any(_is_unreachable(cause) for cause in causes):
        return UserError(
            f"beam.job_server: {beam.job_server} stopped answering while a step ran on it; its own log has the reason: "
            f"start it again, {_AGAIN}"
        )
    text = "\n".join(map(str, causes))
    return next((UserError(told) for told in _told(text, beam)), None)


def _told(text: str, beam: FlinkBeam | SparkBeam) -> Iterator[str]:
    if heap := _NO_HEAP.search(text):
        yield f"{beam.runner} ran out of memory ({heap[1].strip()}): give its processes more, {_AGAIN}"
    if _NO_SLOTS.search(text):
        yield (
            f"{beam.runner} has no {beam.parallelism} free slots for beam.parallelism: start more TaskManagers, or "
            f"lower beam.parallelism, {_AGAIN}"
        )
    if _LOST_MACHINE.search(text):
        yield f"{beam.runner} lost the machines that computed, more often than it retries: look at their logs, {_AGAIN}"
    if _LOST_WORKER.search(text):
        yield (
            "Beam workers died while they computed, as if the system had killed them when memory ran out: lower "
            f"beam.parallelism, data.limits.max_pixels or data.shard_bytes, or give the workers more memory; {_AGAIN}"
        )


def _is_unreachable(error: BaseException) -> bool:
    import grpc

    code = getattr(error, "code", None)
    return isinstance(error, grpc.RpcError) and code is not None and code() == grpc.StatusCode.UNAVAILABLE


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
