"""The API server's own code, built from the Go module in tests/kubeflow/backend."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest

MODULE = Path("tests/kubeflow/backend")
BUILT = "SEGPIPE_KUBEFLOW_BACKEND"
"""Environment variable that names the program where it has been built already."""

_BUILD_SECONDS = 1500


class Verdict(NamedTuple):
    """What the backend says to an upload: the Argo workflow (YAML), or why not."""

    workflow: str
    refusal: str


def ask_backend(text: str, parameters: dict[str, Any] | None = None) -> Verdict:
    """Uploads `text` and creates a run of it; skips the test where the program cannot be built."""
    command = [_program(), *([json.dumps(parameters)] if parameters else [])]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
    return Verdict(done.stdout, "" if done.returncode == 0 else done.stderr.strip() or "refused without a word")


def _program() -> str:
    built = os.environ.get(BUILT)
    if built:
        return built
    program, reason = _build()
    if program is None:
        pytest.skip(reason)
    return program


@functools.cache
def _build() -> tuple[str | None, str]:
    """The program, built in minutes at first and in seconds from Go's cache; or why it cannot be."""
    if shutil.which("go") is None:
        return None, f"Go is not installed; {BUILT} may name the program built elsewhere"
    listed = _go("list", "-deps", ".")
    if listed.returncode != 0:
        last = next(iter(reversed(listed.stderr.strip().splitlines())), "no output").strip()
        return None, f"the modules of Kubeflow Pipelines cannot be had here ({last}); {BUILT} may name the program"
    program = Path("build/kubeflow-backend").absolute()
    built = _go("build", "-p", "2", "-o", str(program), ".")
    if built.returncode != 0:
        pytest.fail(built.stderr)
    return str(program), ""


def _go(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["nice", "go", *arguments]
    return subprocess.run(command, cwd=MODULE, capture_output=True, text=True, timeout=_BUILD_SECONDS, check=False)
