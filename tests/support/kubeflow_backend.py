"""Kubeflow Pipelines' own code, built from the Go module in tests/kubeflow/backend: driver, launcher, API server.

go.sum has the hashes of all modules, so that those which are in Go's cache already are not asked for anywhere.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest

MODULE = Path("tests/kubeflow/backend")
PROGRAMS = Path("build/kubeflow")
_SOURCES_OF = "github.com/kubeflow/pipelines/backend/src"
BACKEND, DRIVER, LAUNCHER = ".", f"{_SOURCES_OF}/v2/cmd/driver", f"{_SOURCES_OF}/v2/cmd/launcher-v2"
"""The packages: what of the API server a run is created with, the driver of a task, and what runs in its pod."""

API_SERVER, AGENT = f"{_SOURCES_OF}/apiserver", f"{_SOURCES_OF}/agent/persistence"
"""The whole API server, and what tells it of workflows."""

BUILT = {
    BACKEND: "SEGPIPE_KUBEFLOW_BACKEND",
    DRIVER: "SEGPIPE_KUBEFLOW_DRIVER",
    LAUNCHER: "SEGPIPE_KUBEFLOW_LAUNCHER",
    API_SERVER: "SEGPIPE_KUBEFLOW_API_SERVER",
    AGENT: "SEGPIPE_KUBEFLOW_AGENT",
}
"""Environment variables that name the programs where they have been built already."""

_NAMES = {BACKEND: "backend", DRIVER: "driver", LAUNCHER: "launcher", API_SERVER: "api-server", AGENT: "agent"}
_SOURCES = ("go.mod", "go.sum", "main.go")
_BUILD_SECONDS = 1500


class Verdict(NamedTuple):
    """What the backend says to an upload: the Argo workflow (YAML), or why not."""

    workflow: str
    refusal: str


def ask_backend(text: str, parameters: dict[str, Any] | None = None) -> Verdict:
    """Uploads `text` and creates a run of it; skips the test where the program cannot be built."""
    command = [program(BACKEND), *([json.dumps(parameters)] if parameters else [])]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
    return Verdict(done.stdout, "" if done.returncode == 0 else done.stderr.strip() or "refused without a word")


def program(package: str) -> str:
    """The path of a program; skips the test where it cannot be built."""
    path, reason = find_program(package)
    if path is None:
        pytest.skip(reason)
    return path


def find_program(package: str) -> tuple[str | None, str]:
    """The path of a program, or why it cannot be had."""
    built = os.environ.get(BUILT[package])
    return (str(Path(built).absolute()), "") if built else _build(package)


@functools.cache
def _build(package: str) -> tuple[str | None, str]:
    """The program, built in minutes the first time and found again from then on; or why it cannot be built."""
    PROGRAMS.mkdir(parents=True, exist_ok=True)
    path = PROGRAMS.absolute() / f"{_NAMES[package]}-{_digest()}"
    with (PROGRAMS / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # Tests run in several processes.
        if path.exists():
            return str(path), ""
        if shutil.which("go") is None:
            return None, f"Go is not installed; {BUILT[package]} may name the program built elsewhere"
        listed = _go("list", "-deps", package)
        if listed.returncode != 0:
            last = next(iter(reversed(listed.stderr.strip().splitlines())), "no output").strip()
            reason = f"the modules of Kubeflow Pipelines cannot be had here ({last})"
            return None, f"{reason}; {BUILT[package]} may name the program"
        unfinished = path.with_suffix(".unfinished")
        built = _go("build", "-p", "2", "-o", str(unfinished), package)
        if built.returncode != 0:
            pytest.fail(built.stderr)
        unfinished.rename(path)
    return str(path), ""


def _digest() -> str:
    return hashlib.sha256(b"".join((MODULE / name).read_bytes() for name in _SOURCES)).hexdigest()[:12]


def _go(verb: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["nice", "go", verb, *arguments]
    return subprocess.run(command, cwd=MODULE, capture_output=True, text=True, timeout=_BUILD_SECONDS, check=False)
