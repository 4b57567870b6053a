"""Java processes of `segpipe beam-server`, each with a log; they end with the program."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from common.errors import UserError
from pipeline.beam.server.java import OPENS

_LOG = ["-Dorg.slf4j.simpleLogger.showDateTime=true", "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS"]
_SECONDS_TO_START = 120
_SECONDS_TO_END = 10
_POLL = 0.3


@dataclass(frozen=True)
class Ports:
    """Ports of the job server and of the engine."""

    job: int
    artifact: int
    rest: int
    rpc: int


class JavaProcesses:
    """Java programs with one class path; ends them when its context is left.

    Attributes:
        folder: Folder of their logs and temporary files.
        jars: Folder of the class path.
        processes: Name → process.
    """

    def __init__(self, java: str, jars: Path, folder: Path) -> None:
        self._java = java
        self.jars, self.folder = jars, folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> JavaProcesses:
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
        return self.folder / f"{name.lower().replace(' ', '-')}.log"

    def start(
        self,
        name: str,
        main_class: str,
        arguments: Sequence[str],
        memory: Sequence[str],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Starts a program; `environment` is added to that of this process."""
        command = [self._java, *memory, *OPENS, *_LOG, "-cp", f"{self.jars}/*", main_class, *arguments]
        with self.log_of(name).open("wb") as log:
            # A session of its own: Ctrl-C reaches this program alone, which then ends them in order.
            self.processes[name] = subprocess.Popen(
                command,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self, is_ready: Callable[[], bool], what: str) -> None:
        """Waits until `what` is ready.

        Raises:
            UserError: a process ended, or it took too long.
        """
        deadline = time.monotonic() + _SECONDS_TO_START
        while not is_ready():
            ended = self.first_ended()
            if ended:
                raise UserError(f"the {ended} ended while it started: {self.last_words(ended)}")
            if time.monotonic() > deadline:
                raise UserError(f"{what} did not start within {_SECONDS_TO_START} s")
            time.sleep(_POLL)


def check_free(*ports: tuple[str, int]) -> None:
    """Checks that nothing listens at a port, which is given with its option.

    Raises:
        UserError: something does.
    """
    for option, port in ports:
        if answers(port):
            raise UserError(
                f"port {port} is taken, perhaps by another `segpipe beam-server`; name another with {option}"
            )


def answers(port: int) -> bool:
    """Whether something listens at a port of this machine."""
    try:
        socket.create_connection(("localhost", port), timeout=1).close()
    except OSError:
        return False
    return True
