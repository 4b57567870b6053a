"""One pipeline on several engines of Beam: its results and its cache do not depend on the engine."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.pipeline.test_run import CACHED
from tests.support.beam_runs import assert_same_results
from tests.support.beam_server import ADDRESS, a_busy_task_manager, beam_server, need_flink
from tests.support.tiny import ENVIRONMENT, command, segpipe, write_use_case

pytestmark = pytest.mark.slow
QUICK = ("--set", "trainer.epochs=2", "--set", "serving_check=null")
ON_BEAM = {"Ingest pairs", "Compute statistics", "Transform", "Evaluate"}
ON_FLINK = ("--set", "beam.runner=flink", "--set", f"beam.job_server={ADDRESS}")


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
    need_flink()
    with beam_server(tmp_path):
        assert_same_results(run_on(config, "flink", *ON_FLINK), one_worker)


def test_a_run_on_a_standalone_flink_survives_the_death_of_a_task_manager(
    config: Path, one_worker: Path, tmp_path: Path
) -> None:
    need_flink()
    with beam_server(tmp_path, "--task-managers", "2", "--slots", "2") as server:
        workspace = config.parent / "standalone"
        arguments = command("run", config, *QUICK, *ON_FLINK, "--set", f"workspace={workspace}")
        run = subprocess.Popen(arguments, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        os.kill(a_busy_task_manager(server.pid), signal.SIGKILL)
        told, _ = run.communicate(timeout=900)
        assert run.returncode == 0, told
        assert_same_results(workspace, one_worker)
        log = (tmp_path / "beam-server.log").read_text()
        assert re.search(r"TaskManager \d ended with status -9; Flink goes on with the others", log)
