"""One pipeline on several engines of Beam: its results and its cache do not depend on the engine.

Flink needs Java, and Maven for the job server's jars; where they cannot be had these tests are skipped.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.errors import UserError
from pipeline.beam.server.jars import cache_folder, provide_jars
from pipeline.beam.server.java import find_java
from tests.pipeline.test_run import CACHED
from tests.support.beam_runs import assert_same_results
from tests.support.tiny import ENVIRONMENT, command, segpipe, write_use_case

pytestmark = pytest.mark.slow
QUICK = ("--set", "trainer.epochs=2", "--set", "serving_check=null")
ON_BEAM = {"Ingest pairs", "Compute statistics", "Transform", "Evaluate"}
PORTS = {"--port": 18099, "--artifact-port": 18098, "--rest-port": 18081, "--rpc-port": 16123}
ON_FLINK = ("--set", "beam.runner=flink", "--set", f"beam.job_server=localhost:{PORTS['--port']}")


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


@pytest.fixture(scope="module")
def jars() -> Path:
    try:
        find_java()
        return provide_jars(cache_folder(), lambda _: None)
    except UserError as error:
        pytest.skip(str(error))


def beam_server(folder: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    arguments = [str(part) for pair in PORTS.items() for part in pair]
    log = folder / "beam-server.log"
    with log.open("w") as out:
        server = subprocess.Popen(command("beam-server", *arguments, *more), env=ENVIRONMENT, stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + 180
        while "job server: " not in log.read_text():
            assert server.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.5)
        yield server
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)


def test_two_workers_give_the_results_of_one_which_are_then_cached_for_one(config: Path, one_worker: Path) -> None:
    two = run_on(config, "two", "--set", "beam.workers=2")
    assert_same_results(two, one_worker)
    again = segpipe("run", config, *QUICK, "--set", f"workspace={two}", "--set", "beam.workers=1").stdout
    assert ON_BEAM - {"Evaluate"} <= set(CACHED.findall(again))  # There is a baseline now.


def test_flink_in_the_job_server_gives_the_results_of_one_process(
    config: Path, one_worker: Path, jars: Path, tmp_path: Path
) -> None:
    for _ in beam_server(tmp_path):
        assert_same_results(run_on(config, "flink", *ON_FLINK), one_worker)


def test_a_run_on_a_standalone_flink_survives_the_death_of_a_task_manager(
    config: Path, one_worker: Path, jars: Path, tmp_path: Path
) -> None:
    for server in beam_server(tmp_path, "--task-managers", "2", "--slots", "2"):
        workspace = config.parent / "standalone"
        arguments = command("run", config, *QUICK, *ON_FLINK, "--set", f"workspace={workspace}")
        run = subprocess.Popen(arguments, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        os.kill(a_busy_task_manager(server.pid), signal.SIGKILL)
        told, _ = run.communicate(timeout=900)
        assert run.returncode == 0, told
        assert_same_results(workspace, one_worker)
        log = (tmp_path / "beam-server.log").read_text()
        assert re.search(r"TaskManager \d ended with status -9; Flink goes on with the others", log)


def a_busy_task_manager(server: int) -> int:
    """Waits until a task of a job runs, and returns the process of a TaskManager that has one."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        for port in busy_ports():
            children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
            for child in children:
                if "TaskManagerRunner" in Path(f"/proc/{child}/cmdline").read_text() and port in listening(child):
                    return int(child)
        time.sleep(0.2)
    raise AssertionError("no job has come")


def busy_ports() -> set[int]:
    """The ports of the TaskManagers that have a running task."""
    try:
        jobs = [job["jid"] for job in rest("jobs/overview")["jobs"] if job["tasks"]["running"]]
        hosts = [
            subtask["taskmanager-id"]
            for job in jobs
            for vertex in rest(f"jobs/{job}")["vertices"]
            for subtask in rest(f"jobs/{job}/vertices/{vertex['id']}")["subtasks"]
            if subtask["status"] == "RUNNING"
        ]
    except (OSError, KeyError):
        return set()
    return {int(host.partition(":")[2].partition("-")[0]) for host in hosts if ":" in host}


def rest(path: str) -> dict:
    with urllib.request.urlopen(f"http://localhost:{PORTS['--rest-port']}/{path}", timeout=5) as answer:
        return json.load(answer)


def listening(process: str) -> set[int]:
    """The TCP ports at which a process listens."""
    sockets = {str(link.readlink()) for link in Path(f"/proc/{process}/fd").iterdir() if link.is_symlink()}
    rows = [line.split() for kind in ("tcp", "tcp6") for line in Path(f"/proc/net/{kind}").read_text().splitlines()[1:]]
    return {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in sockets}
