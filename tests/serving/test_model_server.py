"""`tensorflow_model_server` started, fed and led, with a program that stands in for it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from registry.store import Registry
from serving.settings import Batching
from serving.versions.model_config import model_config
from serving.versions.model_server import batching_config
from tests.support.serving import BIRTH, wait_until


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


class Running:
    """`segpipe serve --engine tensorflow_model_server` and what the program was told."""

    def __init__(self, registry: Registry, folder: Path, *options: str) -> None:
        program = folder / "bin" / "tensorflow_model_server"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tests.support.fake_model_server "$@"\n')
        program.chmod(0o755)
        self._told = folder / "told"
        path = f"{program.parent}:{os.environ['PATH']}"
        self.environment = {**os.environ, "PATH": path, "PYTHONPATH": str(Path.cwd()), "TOLD": str(self._told)}
        command = [sys.executable, "-m", "pipeline.cli.main", "serve", "--registry", registry.uri, "--poll", "0.1"]
        command += ["--port", str(free_port()), "--grpc-port", str(free_port()), *options]
        self.process = subprocess.Popen(command, env=self.environment, stderr=subprocess.PIPE, text=True)

    def told(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._told.read_text().splitlines()] if self._told.exists() else []

    def flags(self) -> dict[str, str]:
        flags: dict[str, str] = json.loads(Path(f"{self._told}.flags").read_text())
        return flags


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Two versions in the shape of SavedModels; the first is served."""
    registry = Registry(str(tmp_path / "registry"))
    for number in (1, 2):
        model = tmp_path / f"model-{number}"
        model.mkdir()
        (model / "saved_model.pb").write_text(f"graph {number}")
        registry.push(str(model), **BIRTH)
    registry.serve(1)
    return registry


@pytest.fixture
def running(registry: Registry, tmp_path: Path) -> Iterator[Running]:
    running = Running(registry, tmp_path, "--host", "0.0.0.0")
    yield running
    running.process.terminate()
    running.process.communicate()


def only(version: int) -> dict[str, Any]:
    return {"name": "tiny", "versions": [version], "labels": {"stable": version}}


def test_versions_change_in_two_steps_so_that_no_label_is_without_a_version(
    running: Running, registry: Registry
) -> None:
    wait_until(lambda: only(1) in running.told(), 120)
    assert running.told() == [{"name": "tiny", "versions": [1], "labels": {}}, only(1)]
    registry.serve(2)
    wait_until(lambda: only(2) in running.told())
    assert running.told()[2:] == [{"name": "tiny", "versions": [1, 2], "labels": {"stable": 1}}, only(2)]
    assert "enable_batching" not in running.flags()
    assert running.flags()["rest_api_timeout_in_ms"] == "30000"


def test_a_tampered_version_never_reaches_the_program(running: Running, registry: Registry) -> None:
    wait_until(lambda: only(1) in running.told(), 120)
    Path(registry.version_location(2), "saved_model.pb").write_text("another program")
    registry.serve(2)
    wait_until(lambda: running.told()[-1] == only(1) and len(running.told()) > 2)
    assert all(2 not in told["versions"] for told in running.told())
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(30) == 0
    assert running.process.stderr
    assert "is not the file that was pushed as part of version 2" in running.process.stderr.read()


@pytest.mark.slow
def test_a_canary_is_held_beside_stable_until_it_is_promoted(running: Running, registry: Registry) -> None:
    wait_until(lambda: only(1) in running.told(), 120)
    registry.start_canary(2, 10)
    wait_until(lambda: running.told()[-1]["labels"] == {"stable": 1, "canary": 2})
    assert running.told()[-1]["versions"] == [1, 2]
    registry.promote()
    wait_until(lambda: running.told()[-1] == only(2))


@pytest.mark.slow
def test_a_program_that_ends_by_itself_is_told(registry: Registry, tmp_path: Path) -> None:
    running = Running(registry, tmp_path, "--host", "0.0.0.0", "--batch", "4")
    wait_until(lambda: only(1) in running.told(), 120)
    assert running.flags()["enable_batching"] == "true"
    threads = Path(f"/proc/{running.process.pid}/task").glob("*/children")
    (child,) = "".join(children.read_text() for children in threads).split()
    os.kill(int(child), signal.SIGKILL)
    _, log = running.process.communicate(timeout=60)
    assert running.process.returncode == 1
    assert "error: tensorflow_model_server exited with the status -9" in log


def test_the_program_is_not_run_for_one_address_that_it_would_not_keep_to(registry: Registry, tmp_path: Path) -> None:
    running = Running(registry, tmp_path, "--engine", "tensorflow_model_server")
    _, log = running.process.communicate(timeout=120)
    assert "error: tensorflow_model_server listens on all addresses" in log
    assert not running.told()


def test_a_program_that_is_not_there_is_told(registry: Registry) -> None:
    command = [sys.executable, "-m", "pipeline.cli.main", "serve", "--registry", registry.uri, "--host", "0.0.0.0"]
    command += ["--engine", "tensorflow_model_server", "--port", "0", "--grpc-port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "error: tensorflow_model_server is not on the PATH" in done.stderr


def test_configurations_are_those_that_the_program_reads() -> None:
    config = model_config("tiny", "/models", {3, 1}, {"stable": 1})
    (model,) = config.model_config_list.config
    assert list(model.model_version_policy.specific.versions) == [1, 3]
    assert batching_config(Batching(pictures=4, wait_seconds=0.002), 64) == (
        "max_batch_size { value: 4 }\nbatch_timeout_micros { value: 2000 }\n"
        "max_enqueued_batches { value: 64 }\nnum_batch_threads { value: 2 }\n"
    )
