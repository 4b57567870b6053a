"""A job server of Beam in this process, which runs no job."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc


class JobServer(beam_job_api_pb2_grpc.JobServiceServicer):
    """Has one option of its own, and the jobs that it is given."""

    def __init__(self, *jobs: tuple[str, str, int]) -> None:
        """`jobs` are id, name and state of each."""
        self._jobs = jobs
        self.cancelled: list[str] = []
        """Ids of the jobs that were cancelled."""

    def DescribePipelineOptions(self, request: object, context: object) -> object:
        option = beam_job_api_pb2.PipelineOptionDescriptor(name="disable_metrics")
        return beam_job_api_pb2.DescribePipelineOptionsResponse(options=[option])

    def GetJobs(self, request: object, context: object) -> object:
        info = [beam_job_api_pb2.JobInfo(job_id=id, job_name=name, state=state) for id, name, state in self._jobs]
        return beam_job_api_pb2.GetJobsResponse(job_info=info)

    def Cancel(self, request: object, context: object) -> object:
        self.cancelled.append(request.job_id)
        return beam_job_api_pb2.CancelJobResponse()


@contextlib.contextmanager
def running_job_server(servicer: JobServer) -> Iterator[str]:
    """Serves it while the context is open; yields its address."""
    server = grpc.server(ThreadPoolExecutor(1))
    beam_job_api_pb2_grpc.add_JobServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None)
