"""Jobs of an engine, found and cancelled by their name.

Beam's job server forgets a job that it cancels, but leaves it running in a Flink outside its own process (tried with
Beam 2.62).  So the job is cancelled in Flink as well, by Flink's REST API, where its name is that of Beam's job.
"""

from __future__ import annotations

import json
import logging
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

from common import progress
from pipeline.beam.config import FlinkBeam, SparkBeam

_SECONDS = 10.0
_SECONDS_TO_END = 30.0
_POLL = 0.5
_ENDED = {"FINISHED", "CANCELED", "FAILED"}
"""States of Flink's JobStatus in which no task runs any more."""

_logger = logging.getLogger(__name__)


def job_name_argument(name: str) -> str:
    """Returns the Beam argument that names the jobs of a step."""
    return f"--job_name={name}"


def cancel_jobs(beam: FlinkBeam | SparkBeam, name: str) -> None:
    """Cancels the running jobs of that name, and waits until they have ended; what does not answer is reported."""
    _cancel_at_job_server(beam.job_server, name)
    if isinstance(beam, SparkBeam):
        return
    if beam.master is None:
        progress.report(f"jobs named {name} may go on in Flink, for beam.master, its REST address, is not set")
        return
    try:
        _cancel_in_flink(beam.master, name)
    except (OSError, ValueError, KeyError) as error:
        progress.report(f"jobs named {name} could not be cancelled in the Flink at {beam.master}: {error}")


def _cancel_at_job_server(address: str, name: str) -> None:
    import grpc
    from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc

    with grpc.insecure_channel(address) as channel:
        service = beam_job_api_pb2_grpc.JobServiceStub(channel)
        try:
            jobs = service.GetJobs(beam_job_api_pb2.GetJobsRequest(), timeout=_SECONDS).job_info
            for job_id in _running(jobs, name):
                service.Cancel(beam_job_api_pb2.CancelJobRequest(job_id=job_id), timeout=_SECONDS)
        except grpc.RpcError as error:
            _logger.warning("jobs named %s could not be cancelled at %s: %s", name, address, error)


def _running(jobs: Any, name: str) -> Iterator[str]:
    from apache_beam.portability.api import beam_job_api_pb2

    state = beam_job_api_pb2.JobState
    for job in jobs:
        if job.job_name == name and job.state in (state.STARTING, state.RUNNING, state.STOPPED):
            yield job.job_id


def _cancel_in_flink(address: str, name: str) -> None:
    for job in _flink_jobs(address, name):
        _ask(f"http://{address}/jobs/{job}?mode=cancel", "PATCH")
    deadline = time.monotonic() + _SECONDS_TO_END
    while running := _flink_jobs(address, name):
        if time.monotonic() > deadline:
            raise OSError(f"{', '.join(running)} still run after {_SECONDS_TO_END:g} s")
        time.sleep(_POLL)


def _flink_jobs(address: str, name: str) -> list[str]:
    jobs = json.loads(_ask(f"http://{address}/jobs/overview", "GET"))["jobs"]
    return [job["jid"] for job in jobs if job["name"] == name and job["state"] not in _ENDED]


def _ask(url: str, method: str) -> bytes:
    request = urllib.request.Request(url, method=method)  # noqa: S310  # The scheme is http.
    with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
        content: bytes = answer.read()
        return content
