"""The Java processes of `segpipe beam-server`: job server, JobManager and TaskManagers."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from common.errors import UserError
from pipeline.beam.server.flink_configuration import TASK_MANAGER_MEMORY, write_configuration
from pipeline.beam.server.java import OPENS

_JOB_SERVER = "org.apache.beam.runners.flink.FlinkJobServerDriver"
_JOB_MANAGER = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
_TASK_MANAGER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
_LOG = ["-Dorg.slf4j.simpleLogger.showDateTime=true", "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS"]
_SECONDS_TO_START = 120
_SECONDS_TO_END = 10
_POLL = 0.3


@dataclass(frozen=True)
class Ports:
    """Ports of the job server and of Flink."""

    job: int
    artifact: int
    rest: int
    rpc: int


class BeamServer:
    """A job server, with an embedded Flink or with one of several processes; ends them when its context is left."""

    def __init__(self, java: str, jars: Path, folder: Path, ports: Ports) -> None:
        self._java, self._jars, self._folder, self._ports = java, jars, folder, ports
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> BeamServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(_SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def start_flink(self, task_managers: int, slots: int) -> str:
        """Starts a JobManager and TaskManagers; returns the address of Flink when they are ready.

        Raises:
            UserError: a port is taken, or a process ended while it started.
        """
        _check_free(("--rest-port", self._ports.rest), ("--rpc-port", self._ports.rpc))
        write_configuration(self._folder, slots, self._ports.rest, self._ports.rpc)
        where = ["--configDir", str(self._folder)]
        self._start("JobManager", _JOB_MANAGER, where, ["-Xmx512m"])
        for number in range(1, task_managers + 1):
            self._start(f"TaskManager {number}", _TASK_MANAGER, where, TASK_MANAGER_MEMORY)
        address = f"localhost:{self._ports.rest}"
        self._wait(lambda: task_managers_at(address) == task_managers, f"Flink's {task_managers} TaskManagers")
        return address

    def start_job_server(self, master: str) -> str:
        """Starts the job server for a Flink, `[local]` being one in its own process; returns its address.

        Raises:
            UserError: a port is taken, or the process ended while it started.
        """
        ports = self._ports
        _check_free(("--port", ports.job), ("--artifact-port", ports.artifact))
        arguments = [
            f"--flink-master={master}",
            "--job-host=localhost",
            f"--job-port={ports.job}",
            f"--artifact-port={ports.artifact}",
            "--expansion-port=0",
            f"--artifacts-dir={self._folder / 'staged'}",
        ]
        self._start("job server", _JOB_SERVER, arguments, ["-Xmx1g"])
        self._wait(lambda: _answers(ports.job), "the job server")
        return f"localhost:{ports.job}"

    def first_ended(self) -> str | None:
        """Returns the name of a process that has ended, if one has."""
        return next((name for name, process in self.processes.items() if process.poll() is not None), None)

    def last_words(self, name: str) -> str:
        """Returns the innermost cause in a process' log, or its last line."""
        lines = self.log_of(name).read_text(errors="replace").strip().splitlines()
        causes = [line.partition("Caused by: ")[2] for line in lines if line.startswith("Caused by: ")]
        return next(reversed(causes or lines), "it wrote nothing")

    def log_of(self, name: str) -> Path:
        """Returns the log file of a process."""
        return self._folder / f"{name.lower().replace(' ', '-')}.log"

    def _start(self, name: str, main_class: str, arguments: Sequence[str], memory: Sequence[str]) -> None:
        command = [self._java, *memory, *OPENS, *_LOG, "-cp", f"{self._jars}/*", main_class, *arguments]
        with self.log_of(name).open("wb") as log:
            # A session of its own: Ctrl-C reaches this program alone, which then ends them in order.
            self.processes[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )

    def _wait(self, is_ready: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _SECONDS_TO_START
        while not is_ready():
            ended = self.first_ended()
            if ended:
                raise UserError(f"the {ended} ended while it started: {self.last_words(ended)}")
            if time.monotonic() > deadline:
                raise UserError(f"{what} did not start within {_SECONDS_TO_START} s")
            time.sleep(_POLL)


def _check_free(*ports: tuple[str, int]) -> None:
    for option, port in ports:
        if _answers(port):
            raise UserError(
                f"port {port} is taken, perhaps by another `segpipe beam-server`; name another with {option}"
            )


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("localhost", port), timeout=1).close()
    except OSError:
        return False
    return True


def task_managers_at(address: str) -> int:
    """Returns how many TaskManagers the Flink at `address` has; 0 if it does not answer."""
    try:
        with urllib.request.urlopen(f"http://{address}/overview", timeout=2) as answer:
            return int(json.load(answer)["taskmanagers"])
    except (OSError, ValueError, KeyError):
        return 0
