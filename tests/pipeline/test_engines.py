"""One pipeline on several engines of Beam: its results and its cache do not depend on the engine."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import apache_beam as beam
import pytest
import tensorflow as tf
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.beam.config import FlinkBeam
from pipeline.beam.engine import beam_engine
from tests.pipeline.test_run import CACHED
from tests.support.beam_runs import assert_same_results
from tests.support.beam_server import ADDRESS, KilledTaskManagers, beam_server, kill_a_spark_executor, need_engine
from tests.support.tiny import ENVIRONMENT, command, segpipe, write_use_case

pytestmark = pytest.mark.slow
QUICK = ("--set", "trainer.epochs=2", "--set", "serving_check=null")
ON_BEAM = {"Ingest pairs", "Compute statistics", "Transform", "Evaluate"}
ON_FLINK = ("--set", "beam.runner=flink", "--set", f"beam.job_server={ADDRESS}")
ON_SPARK = ("--set", "beam.runner=spark", "--set", f"beam.job_server={ADDRESS}")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_use_case(tmp_path_factory.mktemp("engines"))


@pytest.fixture(scope="module")
def one_worker(config: Path) -> Path:
    """The workspace of a run in one process."""
    return run_on(config, "one")


def run_on(config: Path, name: str, *more: str) -> Path:
    workspace = config.parent / name
    done = segpipe("run", config, *QUICK, "--set", f"workspace={workspace}", *more)
    assert done.returncode == 0, done.stdout + done.stderr
    return workspace


def test_two_workers_give_the_results_of_one_which_are_then_cached_for_one(config: Path, one_worker: Path) -> None:
    two = run_on(config, "two", "--set", "beam.workers=2")
    assert_same_results(two, one_worker)
    again = segpipe("run", config, *QUICK, "--set", f"workspace={two}", "--set", "beam.workers=1").stdout
    assert ON_BEAM - {"Evaluate"} <= set(CACHED.findall(again))  # There is a baseline now.


def test_flink_in_the_job_server_gives_the_results_of_one_process(
    config: Path, one_worker: Path, tmp_path: Path
) -> None:
    need_engine("flink")
    with beam_server(tmp_path):
        assert_same_results(run_on(config, "flink", *ON_FLINK), one_worker)


def test_all_workers_of_flink_read(tmp_path: Path) -> None:
    need_engine("flink")
    for number in range(4):
        with tf.io.TFRecordWriter(str(tmp_path / f"records-{number}")) as writer:
            writer.write(str(number).encode())
    engine = FlinkBeam(job_server=ADDRESS, parallelism=2)
    with (
        beam_server(tmp_path, "--workers", "2"),
        beam_engine(engine) as arguments,
        beam.Pipeline(options=PipelineOptions(arguments)) as pipeline,
    ):
        records = pipeline | beam.io.ReadFromTFRecord(f"{tmp_path}/records-*")
        readers = records | beam.Map(lambda record: f"{os.getpid()} {record.decode()}")
        _ = readers | beam.io.WriteToText(str(tmp_path / "read"))
    lines = [line for file in tmp_path.glob("read-*") for line in file.read_text().split("\n") if line]
    assert sorted(line.split()[1] for line in lines) == ["0", "1", "2", "3"]
    assert len({line.split()[0] for line in lines}) == 2, lines


def test_a_run_on_a_standalone_flink_survives_the_death_of_a_task_manager_in_each_of_its_steps(
    config: Path, one_worker: Path, tmp_path: Path
) -> None:
    need_engine("flink")
    with beam_server(tmp_path, "--task-managers", "6") as server:
        run, workspace = start_on(config, "standalone", *ON_FLINK)
        with KilledTaskManagers(server.pid, most=4) as killed:
            told, _ = run.communicate(timeout=1500)
        assert run.returncode == 0, told
        assert_same_results(workspace, one_worker)
        assert len(killed.jobs) == len(ON_BEAM), "a step ran as a job that lost no TaskManager"
        log = (tmp_path / "beam-server.log").read_text()
        assert len(re.findall(r"TaskManager \d ended with status -9; Flink goes on with the others", log)) == 4


def test_a_run_on_a_standalone_spark_survives_the_death_of_a_worker(
    config: Path, one_worker: Path, tmp_path: Path
) -> None:
    need_engine("spark")
    with beam_server(tmp_path, "--engine", "spark", "--workers", "2") as server:
        run, workspace = start_on(config, "spark", *ON_SPARK)
        kill_a_spark_executor(server.pid)
        told, _ = run.communicate(timeout=1500)
        assert run.returncode == 0, told
        assert_same_results(workspace, one_worker)


def start_on(config: Path, name: str, *more: str) -> tuple[subprocess.Popen[str], Path]:
    """Starts a run; returns it with its workspace."""
    workspace = config.parent / name
    arguments = command("run", config, *QUICK, *more, "--set", f"workspace={workspace}")
    run = subprocess.Popen(arguments, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return run, workspace
