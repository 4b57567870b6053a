"""Workers that are forked, driven by Beam's own multi-processing and by an engine's requests."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
import grpc
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc

from common.errors import UserError, user_error_in
from pipeline.beam.arguments import beam_arguments
from pipeline.beam.config import LocalBeam
from pipeline.beam.engine import beam_engine
from pipeline.beam.worker_count import cores
from pipeline.beam.worker_pool import LOOPBACK, serve_pool

pytestmark = pytest.mark.slow  # The process that workers are forked from imports everything first.
TWO = LocalBeam(workers=2)


@pytest.fixture
def pipeline() -> Iterator[beam.Pipeline]:
    with beam_engine(TWO) as arguments:
        yield beam.Pipeline(options=PipelineOptions(arguments))


def spread(pipeline: beam.Pipeline) -> beam.PCollection:
    return pipeline | beam.Create(range(20)) | beam.Reshuffle()


# Functions inside the tests travel to the workers by value; those of a test's module would have to be imported there.


def test_the_work_is_done_in_two_other_processes(pipeline: beam.Pipeline, tmp_path: Path) -> None:
    folder = str(tmp_path)

    def write_process(number: int) -> int:
        Path(folder, f"{number}.{os.getpid()}").touch()
        return number

    _ = spread(pipeline) | beam.Map(write_process)
    pipeline.run().wait_until_finish()
    written = [path.name.split(".") for path in tmp_path.iterdir()]
    assert sorted(int(number) for number, _ in written) == list(range(20))
    processes = {process for _, process in written}
    assert len(processes) == 2 and str(os.getpid()) not in processes


def test_the_workers_share_the_cores(pipeline: beam.Pipeline, tmp_path: Path) -> None:
    folder = str(tmp_path)

    def write_threads(number: int) -> int:
        names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
        Path(folder, f"{os.getpid()}").write_text(" ".join(os.environ[name] for name in names))
        return number

    _ = spread(pipeline) | beam.Map(write_threads)
    pipeline.run().wait_until_finish()
    share = str(max(1, cores() // 2))
    assert {path.read_text() for path in tmp_path.iterdir()} == {f"{share} {share}"}


def test_a_killed_worker_ends_the_step_with_one_sentence(pipeline: beam.Pipeline) -> None:
    def die(number: int) -> int:
        if number == 7:
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    _ = spread(pipeline) | beam.Map(die)
    with pytest.raises(Exception) as error:
        pipeline.run().wait_until_finish()
    told = user_error_in(error.value)
    assert told is not None
    assert str(told).startswith("a Beam worker was killed (signal 9), as the system does if memory runs out: lower")


def test_the_sentence_of_an_error_in_a_worker_arrives(pipeline: beam.Pipeline) -> None:
    def refuse(number: int) -> int:
        raise UserError(f"the number {number} cannot be used; leave it out")

    _ = pipeline | beam.Create([7]) | beam.Map(refuse)
    with pytest.raises(RuntimeError) as error:
        pipeline.run().wait_until_finish()
    assert str(user_error_in(error.value)) == "the number 7 cannot be used; leave it out"


def test_a_pool_listens_on_this_machine_alone_and_tells_why_a_worker_does_not_start() -> None:
    with serve_pool() as address, grpc.insecure_channel(address) as channel:
        assert address.startswith(f"{LOOPBACK}:")
        request = beam_fn_api_pb2.StartWorkerRequest(worker_id="1")
        request.provision_endpoint.url = "not an address"
        answer = beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolStub(channel).StartWorker(request, timeout=90)
        assert "Error" in answer.error


def test_a_port_that_is_taken_is_told() -> None:
    with (
        serve_pool() as address,
        pytest.raises(UserError, match="cannot be listened on"),
        serve_pool(port=int(address.rpartition(":")[2])),
    ):
        pass


def test_one_worker_needs_no_process() -> None:
    with beam_engine(LocalBeam()) as arguments:
        assert arguments == beam_arguments(LocalBeam())
