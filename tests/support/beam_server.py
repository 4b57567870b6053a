"""Beam's job server with a Flink, as `segpipe beam-server` starts them, and what Flink tells of its jobs.

Flink needs Java, and Maven for the job server's jars; where they cannot be had, tests are skipped.
"""

from __future__ import annotations

import contextlib
import json
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
from tests.support.tiny import ENVIRONMENT, command

PORTS = {"--port": 18099, "--artifact-port": 18098, "--rest-port": 18081, "--rpc-port": 16123}
ADDRESS = f"localhost:{PORTS['--port']}"
_SECONDS_TO_START = 180


def need_flink() -> None:
    """Skips a test where Java or the jars cannot be had."""
    try:
        find_java()
        provide_jars(cache_folder(), lambda _: None)
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


def a_busy_task_manager(server: int) -> int:
    """Waits until a task of a job runs, and returns the process of a TaskManager that has one."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        for port in _busy_ports():
            for process in java_processes(server, "TaskManagerRunner"):
                if port in _listening(process):
                    return process
        time.sleep(0.2)
    raise AssertionError("no job has come")


def jobs() -> dict[str, str]:
    """The state of each job that Flink knows, by its name."""
    return {job["name"]: job["state"] for job in _rest("jobs/overview")["jobs"]}


def _busy_ports() -> set[int]:
    """The ports of the TaskManagers that have a running task."""
    try:
        running = [job["jid"] for job in _rest("jobs/overview")["jobs"] if job["tasks"]["running"]]
        hosts = [
            subtask["taskmanager-id"]
            for job in running
            for vertex in _rest(f"jobs/{job}")["vertices"]
            for subtask in _rest(f"jobs/{job}/vertices/{vertex['id']}")["subtasks"]
            if subtask["status"] == "RUNNING"
        ]
    except (OSError, KeyError):
        return set()
    return {int(host.partition(":")[2].partition("-")[0]) for host in hosts if ":" in host}


def _rest(path: str) -> dict:
    with urllib.request.urlopen(f"http://localhost:{PORTS['--rest-port']}/{path}", timeout=5) as answer:
        return json.load(answer)


def _listening(process: int) -> set[int]:
    """The TCP ports at which a process listens."""
    sockets = {str(link.readlink()) for link in Path(f"/proc/{process}/fd").iterdir() if link.is_symlink()}
    rows = [line.split() for kind in ("tcp", "tcp6") for line in Path(f"/proc/net/{kind}").read_text().splitlines()[1:]]
    return {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in sockets}
