"""The processes of `segpipe beam-server`, with a shell script in Java's place."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from common.errors import UserError
from pipeline.beam.server.engines import ENGINES
from pipeline.beam.server.flink import task_managers_at
from pipeline.beam.server.flink_configuration import write_configuration
from pipeline.beam.server.job_server import start_job_server
from pipeline.beam.server.processes import JavaProcesses, Ports
from pipeline.beam.server.spark import spark_environment, workers_at
from pipeline.cli.main import cli


def free_port() -> int:
    with socket.create_server(("localhost", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


@pytest.fixture
def ports() -> Ports:
    return Ports(*(free_port() for _ in range(4)))


def script(folder: Path, text: str) -> str:
    java = folder / "java"
    java.write_text(f"#!/bin/sh\n{text}\n")
    java.chmod(0o755)
    return str(java)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_process_that_ends_at_once_is_told_with_its_innermost_cause(
    engine: str, tmp_path: Path, ports: Ports
) -> None:
    java = script(tmp_path, "echo 'Caused by: outer'; echo 'Caused by: no room'; echo '  ... 7 more'; exit 3")
    with (
        JavaProcesses(java, tmp_path, tmp_path) as processes,
        pytest.raises(UserError, match=r"^the job server ended while it started: no room$"),
    ):
        start_job_server(processes, ports, ENGINES[engine], "local")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_port_that_is_taken_is_told_before_anything_starts(engine: str, tmp_path: Path, ports: Ports) -> None:
    with (
        socket.create_server(("localhost", ports.rest)),
        JavaProcesses("java", tmp_path, tmp_path) as processes,
        pytest.raises(UserError, match=f"port {ports.rest} is taken, .*; name another with --rest-port"),
    ):
        ENGINES[engine].start(processes, ports, 1, 1)


def test_the_processes_end_with_the_context(tmp_path: Path) -> None:
    with JavaProcesses(script(tmp_path, "exec sleep 60"), tmp_path, tmp_path) as java:
        java.start("job server", "Main", [], [])
        process = java.processes["job server"]
        assert java.first_ended() is None
    assert process.returncode is not None


def test_nobody_answers_at_a_closed_port() -> None:
    assert task_managers_at(f"localhost:{free_port()}") == 0
    assert workers_at(f"localhost:{free_port()}") == 0


def test_sparks_executors_get_the_same_jars(tmp_path: Path) -> None:
    (tmp_path / "some.jar").touch()
    java = JavaProcesses("java", tmp_path, tmp_path / "folder")
    java.folder.mkdir()
    home = spark_environment(java)["SPARK_HOME"]
    assert (Path(home) / "jars" / "some.jar").exists()
    assert spark_environment(java)["SPARK_HOME"] == home


def test_flink_listens_on_this_machine_alone(tmp_path: Path) -> None:
    write_configuration(tmp_path, slots=3, rest_port=1, rpc_port=2)
    settings = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert {settings[key] for key in ("jobmanager.bind-host", "taskmanager.bind-host", "rest.bind-address")} == {
        "localhost"
    }
    assert (settings["taskmanager.numberOfTaskSlots"], settings["rest.port"]) == (3, 1)


def test_an_engine_that_runs_and_one_to_start_contradict_each_other() -> None:
    done = CliRunner().invoke(cli, ["beam-server", "--master", "localhost:8081", "--task-managers", "2"])
    assert done.exit_code == 1
    assert "--master names an engine that runs already, and --workers starts one" in done.output
