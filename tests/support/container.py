"""The image's containers, as restricted as a pod of the namespace: no network, read-only, not root, no capabilities."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

IMAGE = os.environ.get("SEGPIPE_IMAGE", "")
DOCKER = os.environ.get("DOCKER", "docker")
_RESTRICTED = (
    *("--read-only", "--network=none", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--rm"),
    *("--log-driver=none", "--tmpfs=/dev/shm:rw,size=1g"),
)

StartPod = Callable[
    [Sequence[str], Mapping[str, Path], Mapping[str, str], Path], contextlib.AbstractContextManager[Any]
]


def configuration(image: str) -> dict[str, Any]:
    """What the image says of itself: user, environment, labels."""
    return json.loads(subprocess.check_output([DOCKER, "image", "inspect", image]))[0]["Config"]


def run(image: str, *command: object, mounts: Mapping[str, Path] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end, with scratch in /tmp."""
    mounts = mounts or {}
    scratch = [] if "/tmp" in mounts else ["--tmpfs=/tmp:rw,exec,size=4g,mode=1777"]
    line = _command_line(image, list(map(str, command)), mounts, {}, scratch)
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=900)


def containers(image: str) -> StartPod:
    """What `tests.kubeflow.pods.start_pod` is for processes: starts one container a call."""

    @contextlib.contextmanager
    def start(
        command: Sequence[str], mounts: Mapping[str, Path], env: Mapping[str, str], disk: Path
    ) -> Iterator[subprocess.Popen[str]]:
        line = _command_line(image, command, mounts, env, [])
        with subprocess.Popen(line, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            yield process

    return start


def _command_line(
    image: str, command: Sequence[str], mounts: Mapping[str, Path], env: Mapping[str, str], scratch: Sequence[str]
) -> list[str]:
    for folder in mounts.values():
        _open(folder)
    volumes = [f"--volume={folder.absolute()}:{path}" for path, folder in mounts.items()]
    variables = [f"--env={name}={value}" for name, value in env.items()]
    return [DOCKER, "run", *_RESTRICTED, *_user(), *scratch, *volumes, *variables, image, *command]


def _user() -> list[str]:
    """Root's files are opened to the image's own user; anybody else's belong to that person."""
    return [] if os.geteuid() == 0 else [f"--user={os.geteuid()}:{os.getegid()}"]


def _open(folder: Path) -> None:
    """As a volume in a cluster: whoever mounts it may write."""
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o777 if path.is_dir() else 0o666)
