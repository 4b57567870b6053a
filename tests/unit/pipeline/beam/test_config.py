"""The section `beam`: which engines there are, and what is told about a mistake."""

from __future__ import annotations

from typing import Any

import pytest

from common.errors import UserError
from pipeline.beam.config import FlinkBeam, LocalBeam
from pipeline.config.run_config import RunConfig, make_config

SOUND: dict[str, Any] = {
    "name": "roofs",
    "data": {"source": {"type": "folders", "root": "data"}, "classes": ["background", "roof"]},
}


def made(beam: Any, *overrides: str) -> RunConfig:
    return make_config({**SOUND, "beam": beam}, overrides, "roofs.yaml")


def test_without_the_section_one_process_computes() -> None:
    assert make_config(SOUND, (), "roofs.yaml").beam == LocalBeam(workers=1)


def test_a_section_without_runner_is_of_this_machine() -> None:
    assert made({"workers": "all"}).beam == LocalBeam(workers="all")


def test_an_engine_can_be_chosen_for_one_run() -> None:
    config = make_config(SOUND, ("beam.runner=flink", "beam.parallelism=4"), "roofs.yaml")
    assert config.beam == FlinkBeam(parallelism=4)


def test_options_may_be_numbers_flags_and_texts() -> None:
    beam = made({"options": {"profile_cpu": True, "streaming": False, "experiments": "a", "max_cache": 3}}).beam
    assert beam.option_arguments() == ["--experiments=a", "--max_cache=3", "--profile_cpu"]


MISTAKES = {
    "a place for staging that TensorFlow cannot write to": (
        {"runner": "flink", "staging": "s3://bucket/staging"},
        "beam.staging: must be a folder on a shared volume or an address in gs://, not 's3://bucket/staging': "
        "TensorFlow writes no s3://; mount that bucket as a volume, or take another one",
    ),
    "a folder for staging that containers do not see": (
        {"runner": "flink", "environment": "docker", "image": "segpipe:1", "staging": "/shared"},
        "beam: staging must be in gs:// with environment docker, not '/shared': containers that the engine starts see "
        "no folder of its machine",
    ),
    "an unknown runner": (
        {"runner": "flnk"},
        "beam.runner: unknown runner 'flnk'; the runners are local, flink, spark and dataflow; did you mean 'flink'?",
    ),
    "a key of several runners without a runner": (
        {"job_server": "localhost:8099"},
        "beam needs a runner; {job_server: 'localhost:8099'} fits flink and spark: add runner: flink, or another",
    ),
    "a runner alone": ("flink", "beam: must be a section, not 'flink'; write beam: {runner: flink}"),
    "no worker": ({"workers": 0}, "beam.workers: must be from 1 to 1024, or all, not 0"),
    "a word in place of a number": (
        {"workers": "al"},
        "beam.workers: must be a whole number or 'all', not 'al'; for example workers: 1",
    ),
    "an address with a scheme": (
        {"runner": "flink", "job_server": "http://localhost:8099"},
        "beam.job_server: 'http://localhost:8099' is not an address: host:port, without a scheme",
    ),
    "an option that is a key": (
        {"runner": "flink", "options": {"parallelism": 3}},
        "beam.options: parallelism is set by the key parallelism beside options",
    ),
    "an option as on a command line": (
        {"options": {"--profile": 1}},
        "beam.options.--profile: '--profile' is not a name of an option: letters, digits and _, without --",
    ),
    "containers without an image": (
        {"runner": "flink", "environment": "docker"},
        "beam: environment docker needs image, an image of segpipe that the engine's machines can pull",
    ),
    "a pool that nobody would ask": (
        {"runner": "spark", "worker_pool": "localhost:1"},
        "beam: worker_pool is for environment external, not loopback; leave worker_pool out",
    ),
    "Dataflow without a project": (
        {"runner": "dataflow", "region": "r", "temp_location": "gs://b/t", "image": "i"},
        "beam.project is missing; for example project: vision",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_in_one_sentence(mistake: str) -> None:
    beam, told = MISTAKES[mistake]
    with pytest.raises(UserError) as error:
        made(beam)
    assert str(error.value).removeprefix("roofs.yaml: ") == told
