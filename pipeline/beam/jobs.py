"""Jobs of an engine that its job server knows."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from pipeline.beam.config import FlinkBeam, SparkBeam

_SECONDS = 10.0
_NAME = "beam:option:job_name:v1"
_logger = logging.getLogger(__name__)


def job_name_argument(name: str) -> str:
    """Returns the Beam argument that names the jobs of a step."""
    return f"--job_name={name}"


def cancel_jobs(beam: FlinkBeam | SparkBeam, name: str) -> None:
    """Cancels the running jobs of that name.  A job server that does not answer is a warning in the log."""
    import grpc
    from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc

    with grpc.insecure_channel(beam.job_server) as channel:
        service = beam_job_api_pb2_grpc.JobServiceStub(channel)
        try:
            jobs = service.GetJobs(beam_job_api_pb2.GetJobsRequest(), timeout=_SECONDS).job_info
            for job_id in _running(jobs, name):
                service.Cancel(beam_job_api_pb2.CancelJobRequest(job_id=job_id), timeout=_SECONDS)
        except grpc.RpcError as error:
            _logger.warning("jobs named %s could not be cancelled at %s: %s", name, beam.job_server, error)


def _running(jobs: Any, name: str) -> Iterator[str]:
    from apache_beam.portability.api import beam_job_api_pb2

    state = beam_job_api_pb2.JobState
    for job in jobs:
        named = job.pipeline_options.fields[_NAME].string_value if _NAME in job.pipeline_options.fields else ""
        if name in (job.job_name, named) and job.state in (state.STARTING, state.RUNNING, state.STOPPED):
            yield job.job_id
