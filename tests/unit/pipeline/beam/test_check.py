"""What is checked of an engine before a run."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from common.errors import UserError
from pipeline.beam.check import check_engine, check_options
from pipeline.beam.config import DataflowBeam, FlinkBeam, LocalBeam, SparkBeam
from tests.support.job_server import JobServer, running_job_server


@pytest.fixture
def job_server() -> Iterator[str]:
    with running_job_server(JobServer()) as address:
        yield address


@pytest.fixture
def silent() -> Iterator[str]:
    """An address at which something else listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
def closed() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"127.0.0.1:{listening.getsockname()[1]}"


def test_this_machine_needs_no_check() -> None:
    check_engine(LocalBeam(workers=2))


def test_a_job_server_that_answers_is_accepted(job_server: str) -> None:
    check_engine(FlinkBeam(job_server=job_server))


@pytest.mark.parametrize(
    ("beam", "start"), [(FlinkBeam, "`segpipe beam-server --engine flink`"), (SparkBeam, "--engine spark`")]
)
def test_an_address_that_does_not_answer_is_named_with_the_remedy(
    beam: type[FlinkBeam | SparkBeam], start: str, closed: str
) -> None:
    with pytest.raises(UserError) as error:
        check_engine(beam(job_server=closed))
    assert str(error.value).startswith(f"beam.job_server: no answer from {closed} (Connection refused); start")
    assert start in str(error.value)


def test_another_program_is_no_job_server(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.beam.check._SECONDS", 0.5)
    with pytest.raises(UserError, match=f"what answers at {silent} is not a Beam job server"):
        check_engine(FlinkBeam(job_server=silent))


@pytest.mark.parametrize(
    ("beam", "told"),
    [
        (FlinkBeam(job_server="far:1"), "loopback needs an engine on this machine, but beam.job_server is far:1"),
        (FlinkBeam(environment="docker", image="i"), "containers cannot read the files of this machine"),
        (FlinkBeam(environment="process", command="nowhere"), "nowhere is not a program that this machine has"),
        (
            DataflowBeam(project="p", region="r", temp_location="gs://b", image="i"),
            "run it on Kubeflow with kubeflow.pipeline_root in gs://",
        ),
    ],
)
def test_workers_that_could_not_read_the_files_are_refused(beam: FlinkBeam | DataflowBeam, told: str) -> None:
    with pytest.raises(UserError, match=told):
        check_engine(beam)


def test_a_pool_beside_the_engine_must_answer(job_server: str, closed: str) -> None:
    with pytest.raises(UserError, match=r"start the pool with `segpipe-step beam-workers --port"):
        check_engine(FlinkBeam(job_server=job_server, environment="external", worker_pool=closed))


def test_options_of_beam_and_of_the_job_server_are_known(job_server: str) -> None:
    check_options(LocalBeam(options={"profile_cpu": "true"}))
    check_options(FlinkBeam(job_server=job_server, options={"disable_metrics": "true", "max_parallelism": "3"}))


def test_an_unknown_option_is_refused(job_server: str) -> None:
    with pytest.raises(UserError, match=r"beam.options.disable_metrics: neither Beam nor the runner local has"):
        check_options(LocalBeam(options={"disable_metrics": "true"}))
    with pytest.raises(UserError, match=r"beam.options.nonsense: neither Beam nor the runner flink has"):
        check_options(FlinkBeam(job_server=job_server, options={"nonsense": "1"}))


def test_a_value_of_the_wrong_type_is_refused() -> None:
    with pytest.raises(UserError, match=r"a value does not have its option's type"):
        check_options(LocalBeam(options={"direct_runner_bundle_repeat": "many"}))
