"""Beam's arguments for each runner."""

from __future__ import annotations

import pytest

from common.errors import UserError
from pipeline.beam.arguments import BEAM_ARGUMENTS, beam_arguments
from pipeline.beam.config import DataflowBeam, FlinkBeam, LocalBeam, SparkBeam


def test_one_worker_runs_with_what_the_pipeline_is_built_with() -> None:
    assert beam_arguments(LocalBeam()) == list(BEAM_ARGUMENTS)


def test_several_workers_are_processes_of_beams_own_runner() -> None:
    arguments = beam_arguments(LocalBeam(workers=3, options={"profile_cpu": "true"}))
    assert arguments == [
        *BEAM_ARGUMENTS,
        "--direct_running_mode=multi_processing",
        "--direct_num_workers=3",
        "--profile_cpu",
    ]


def test_flink_gets_workers_from_the_run_itself_one_a_slot_and_repeats_what_is_lost() -> None:
    arguments = beam_arguments(FlinkBeam(parallelism=4, master="flink:8081"), "127.0.0.1:5")
    for argument in (
        "--runner=PortableRunner",
        "--job_endpoint=localhost:8099",
        "--flink_master=flink:8081",
        "--parallelism=4",
        "--sdk_worker_parallelism=4",
        "--number_of_execution_retries=10",
        "--environment_type=EXTERNAL",
        "--environment_config=127.0.0.1:5",
    ):
        assert argument in arguments


@pytest.mark.parametrize(
    ("beam", "argument"),
    [
        (FlinkBeam(environment="external"), "--environment_config=localhost:50000"),
        (FlinkBeam(environment="external", worker_pool="pool:1"), "--environment_config=pool:1"),
        (SparkBeam(environment="process"), "--environment_option=process_command=segpipe-step"),
        (FlinkBeam(environment="docker", image="segpipe:1"), "--environment_option=docker_container_image=segpipe:1"),
    ],
)
def test_workers_may_be_elsewhere(beam: FlinkBeam | SparkBeam, argument: str) -> None:
    assert argument in beam_arguments(beam)


def test_a_pod_has_no_workers_for_an_engine() -> None:
    with pytest.raises(UserError, match="a step in a pod needs environment external, process or docker"):
        beam_arguments(FlinkBeam())


def test_dataflow_takes_the_image_of_the_steps() -> None:
    beam = DataflowBeam(
        project="p", region="r", temp_location="gs://b/t", image="segpipe:1", options={"num_workers": "9"}
    )
    assert beam_arguments(beam) == [
        "--runner=DataflowRunner",
        "--project=p",
        "--region=r",
        "--temp_location=gs://b/t",
        "--sdk_container_image=segpipe:1",
        "--num_workers=9",
    ]
