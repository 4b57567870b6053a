"""A model server in a separate process, on free ports of this machine."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import site
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import components
from common.errors import UserError
from components.serving_check.client import HOST, REQUEST_SECONDS, version_states
from segpipe_client import DeadlineExceededError, SegmentationError, ServerUnavailableError, VersionState

EMBEDDED = "the embedded server"
_LISTENING = re.compile(r" (listening|started) (?:program=(\S+) )?http=(?:\S*:)?(\d+) grpc=(?:\S*:)?(\d+)$", re.M)
_LOOK_SECONDS = 0.1
_END_SECONDS = 10
_BODY_BYTES = 1 << 30
_LAST_LINES = 3


class Place(NamedTuple):
    """Address and kind of the server."""

    engine: str
    http: int
    grpc: int


class ServerProcess:
    """`python -m serving` for the time of a `with` block; it also exits when this process does, however that happens.

    Unlike this process it uses no GPU, because a training here may hold all of its memory.
    """

    def __init__(self, registry: str, engine: str, folder: Path, seconds: float) -> None:
        """`folder` gets its log; `seconds` is the limit for starting, and again for loading."""
        self._log = folder / "server.log"
        self._until = 0.0
        self._seconds = seconds
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "serving"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=folder,
                env=_environment(),
                start_new_session=True,
            )
        limits = {"body_bytes": _BODY_BYTES, "seconds": REQUEST_SECONDS}
        settings = {"registry": registry, "host": HOST, "poll_seconds": 0.1, "grace_seconds": 1, "limits": limits}
        self._tell({"engine": engine, "settings": settings})

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # Remaining child processes.
        self._process.wait()

    @property
    def pid(self) -> int:
        """Id of the process, whose children may be the server."""
        return self._process.pid

    def wait_until_it_answers(self) -> Place:
        """Waits until the server responds, still without a model.

        Raises:
            UserError: it has exited, or does not respond in time.
        """
        self._until = time.monotonic() + self._seconds
        while not (found := _LISTENING.search(self._log.read_text("utf-8", "replace"))):
            self._wait("it did not start")
        place = Place(found[2] or EMBEDDED, int(found[3]), int(found[4]))
        while not _answers(place.http):
            self._wait("it did not answer")
        return place

    def wait_until_loaded(self, place: Place, model_name: str) -> None:
        """Waits until the model is available.

        Raises:
            UserError: the server rejects it, has exited, or does not load it in time.
        """
        self._until = time.monotonic() + self._seconds
        while True:
            found = _state(place.http, model_name)
            if found and found.state == "AVAILABLE":
                return
            if found and found.state == "END":
                raise failed(f"{place.engine} does not load the model: {found.error}")
            self._wait("it did not load the model")

    def check_alive(self, patience: float = 0) -> None:
        """Checks that the server still runs after `patience` seconds.

        Raises:
            UserError: it has exited.
        """
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = self._process.wait(patience)
            lines = self._log.read_text("utf-8", "replace").split("\n")
            last = " / ".join([line for line in lines if line.strip()][-_LAST_LINES:])
            raise failed(f"the server exited with status {status}; the end of its log: {last or 'nothing'}")

    def _wait(self, otherwise: str) -> None:
        self.check_alive()
        if time.monotonic() > self._until:
            raise failed(f"{otherwise} in {self._seconds:g} seconds (serving_check.start_seconds)")
        time.sleep(_LOOK_SECONDS)

    def _tell(self, first_line: dict[str, object]) -> None:
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps(first_line).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            self._process.wait()
            self.check_alive()


def failed(sentence: str) -> UserError:
    """Returns the error that ends the run."""
    return UserError(f"the model cannot be served and is not pushed: {sentence}")


def _environment() -> dict[str, str]:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    sources = str(Path(components.__file__).parents[1])
    if (
        sources not in site.getsitepackages()
    ):  # Prepended, installed packages would hide modules of the standard library.
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (sources, environment.get("PYTHONPATH"))))
    return environment


def _answers(port: int) -> bool:
    """Whether the server answers, though it has no such model."""
    try:
        version_states(port, "none")
    except (ServerUnavailableError, DeadlineExceededError):
        return False
    except SegmentationError:
        return True
    return True


def _state(port: int, model_name: str) -> VersionState | None:
    """The state of the model's one version, if the server knows it."""
    try:
        states = version_states(port, model_name)
    except SegmentationError:
        return None
    return states[0] if states else None
