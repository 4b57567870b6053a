"""Beam's job server with an engine, as `segpipe beam-server` starts them, and what Flink tells of its jobs.

Engines need Java, and Maven for the job server's jars; where they cannot be had, tests are skipped.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.errors import UserError
from pipeline.beam.server.engines import ENGINES
from pipeline.beam.server.jars import provide_jars
from pipeline.beam.server.java import find_java
from tests.support.tiny import ENVIRONMENT, command

PORTS = {"--port": 18099, "--artifact-port": 18098, "--rest-port": 18081, "--rpc-port": 16123}
ADDRESS = f"localhost:{PORTS['--port']}"
_SECONDS_TO_START = 180


def need_engine(name: str) -> None:
    """Skips a test where Java or the jars of the engine cannot be had."""
    jars = ENGINES[name].jars
    try:
        find_java()
        provide_jars(jars, jars.cache_folder(), lambda _: None)
    except UserError as error:
        pytest.skip(str(error))


@contextlib.contextmanager
def beam_server(folder: Path, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    """Runs `segpipe beam-server` with `more` arguments; its log is `beam-server.log` in `folder`."""
    arguments = [str(part) for pair in PORTS.items() for part in pair]
    log = folder / "beam-server.log"
    with log.open("w") as out:
        server = subprocess.Popen(command("beam-server", *arguments, *more), env=ENVIRONMENT, stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + _SECONDS_TO_START
        while "job server: " not in log.read_text():
            assert server.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.5)
        yield server
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)


def java_processes(server: int, main_class: str) -> list[int]:
    """The processes that a `segpipe beam-server` has started with this class."""
    children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    return [int(child) for child in children if main_class in Path(f"/proc/{child}/cmdline").read_text()]


class KilledTaskManagers:
    """Kills a TaskManager that computes (SIGKILL) in each job that Flink gets while the context is open.

    Attributes:
        jobs: Jobs that lost a TaskManager.
    """

    def __init__(self, server: int, most: int) -> None:
        self._server, self._most = server, most
        self.jobs: set[str] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> KilledTaskManagers:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while len(self.jobs) < self._most and not self._ended.wait(0.2):
            for job, ports in _busy_ports().items():
                if job not in self.jobs and self._kill_one(ports):
                    self.jobs.add(job)

    def _kill_one(self, ports: set[int]) -> bool:
        for process in java_processes(self._server, "TaskManagerRunner"):
            if ports & _listening(process):
                os.kill(process, signal.SIGKILL)
                return True
        return False


def kill_a_spark_executor(server: int) -> None:
    """Waits until a worker of Spark has an executor, which computes, and kills that executor (SIGKILL)."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        for worker in java_processes(server, "deploy.worker.Worker"):
            for thread in Path(f"/proc/{worker}/task").iterdir():
                for child in (thread / "children").read_text().split():
                    os.kill(int(child), signal.SIGKILL)
                    return
        time.sleep(0.2)
    raise AssertionError("no executor has come")


def jobs() -> dict[str, str]:
    """The state of each job that Flink knows, by its name."""
    return {job["name"]: job["state"] for job in _rest("jobs/overview")["jobs"]}


def _busy_ports() -> dict[str, set[int]]:
    """Each running job with the ports of the TaskManagers that have a running task of it."""
    try:
        running = [job["jid"] for job in _rest("jobs/overview")["jobs"] if job["tasks"]["running"]]
        return {job: {int(host.partition(":")[2].partition("-")[0]) for host in _hosts(job)} for job in running}
    except (OSError, KeyError):
        return {}


def _hosts(job: str) -> list[str]:
    return [
        subtask["taskmanager-id"]
        for vertex in _rest(f"jobs/{job}")["vertices"]
        for subtask in _rest(f"jobs/{job}/vertices/{vertex['id']}")["subtasks"]
        if subtask["status"] == "RUNNING" and ":" in subtask["taskmanager-id"]
    ]


def _rest(path: str) -> dict:
    with urllib.request.urlopen(f"http://localhost:{PORTS['--rest-port']}/{path}", timeout=5) as answer:
        return json.load(answer)


def _listening(process: int) -> set[int]:
    """The TCP ports at which a process listens."""
    sockets = {str(link.readlink()) for link in Path(f"/proc/{process}/fd").iterdir() if link.is_symlink()}
    rows = [line.split() for kind in ("tcp", "tcp6") for line in Path(f"/proc/net/{kind}").read_text().splitlines()[1:]]
    return {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in sockets}
