"""Pods without a cluster: a process that sees of this machine its image's folders, its volumes and nothing else.

Where the kernel allows it (root, or unprivileged user namespaces), a pod gets a mount namespace with a root folder of
its own: programs, libraries and this repository read-only, empty folders where Kubernetes mounts volumes, and the
volumes there.  Elsewhere, if `/` can be written, links at the same places play the mounts; the rest of the machine is
then visible.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
_IMAGE_BIN = "/image"
_CHROOT = shutil.which("chroot", path="/usr/sbin:/usr/bin:/sbin:/bin")
StartPod = Callable[
    [Sequence[str], Mapping[str, Path], Mapping[str, str], Path],
    contextlib.AbstractContextManager[subprocess.Popen[str]],
]
_READ_ONLY = "remount,bind,ro,nosuid,nodev"  # A user namespace may take none of these away, but set them.
_LINK = "links"
NAMESPACE = "a mount namespace"


@functools.cache
def isolation() -> str | None:
    """How pods are kept apart on this machine; `None` where they cannot be."""
    if subprocess.run([*_unshare(), "true"], capture_output=True, check=False).returncode == 0:
        return NAMESPACE
    return _LINK if os.access("/", os.W_OK) else None


def start_pod(
    command: Sequence[str], mounts: Mapping[str, Path], env: Mapping[str, str], disk: Path
) -> contextlib.AbstractContextManager[subprocess.Popen[str]]:
    """Starts the container's process; its output and errors come on one stream.

    Args:
        command: Its command line.
        mounts: Path in the pod → folder of this machine.
        env: Its environment, besides what its image sets.
        disk: An empty folder for what the pod needs itself.
    """
    image = _make_image(disk)
    if isolation() == NAMESPACE:
        return _in_namespace(command, {**mounts, _IMAGE_BIN: image}, {**_image_env(_IMAGE_BIN), **env}, disk)
    return _with_links(command, mounts, {**_image_env(str(image)), **env})


def _make_image(disk: Path) -> Path:
    """The folder of the image that has the console script, which this environment may not have installed."""
    folder = disk / "image"
    folder.mkdir()
    script = folder / "segpipe-step"
    script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m pipeline.kubeflow.pod.entrypoint "$@"\n')
    script.chmod(0o755)
    return folder


def _image_env(folder: str) -> dict[str, str]:
    path = os.pathsep.join((folder, str(Path(sys.executable).parent), "/usr/bin", "/bin"))
    return {"PATH": path, "PYTHONPATH": str(REPOSITORY), "HOME": "/tmp", "LANG": "C.UTF-8"}


def _unshare() -> list[str]:
    return ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]


@contextlib.contextmanager
def _in_namespace(
    command: Sequence[str], mounts: Mapping[str, Path], env: Mapping[str, str], disk: Path
) -> Iterator[subprocess.Popen[str]]:
    root = disk / "root"
    root.mkdir()
    script = "\n".join(("set -e", *_root_folder(root, mounts), f'exec {_CHROOT} {shlex.quote(str(root))} "$@"'))
    line = [*_unshare(), "sh", "-c", script, "sh", "/usr/bin/env", "-C", "/", *command]
    with _popen(line, env) as process:
        yield process


def _root_folder(root: Path, mounts: Mapping[str, Path]) -> Iterator[str]:
    """The shell commands that make the pod's file system below `root`."""
    yield f"mount -t tmpfs tmpfs {shlex.quote(str(root))}"
    hidden = {Path(path).parts[1] for path in mounts} | {"tmp", "old_root"}
    for entry in sorted(Path("/").iterdir()):
        inside, outside = shlex.quote(f"{root}{entry}"), shlex.quote(str(entry))
        if entry.is_symlink():
            # One that is gone by then was a pod's, played by links in another process.
            yield f"cp -P {outside} {inside} || [ ! -L {outside} ]"
        elif entry.is_dir() and entry.name not in hidden:
            yield f"mkdir {inside} && mount --rbind {outside} {inside}"
            if entry.name not in ("dev", "proc", "sys"):
                yield f"mount -o {_READ_ONLY} {inside}"
    for path, folder in sorted(mounts.items()):
        inside = shlex.quote(f"{root}{path}")
        yield f"mkdir -p {inside} && mount --bind {shlex.quote(str(folder))} {inside}"
    if "/tmp" not in mounts:
        yield f"mkdir {shlex.quote(f'{root}/tmp')}"
    for folder in _needed(hidden):  # Below a volume or the empty /tmp, where this repository may lie.
        inside = shlex.quote(f"{root}{folder}")
        yield f"mkdir -p {inside} && mount --rbind {shlex.quote(str(folder))} {inside}"
        yield f"mount -o {_READ_ONLY} {inside}"


def _needed(hidden: Set[str]) -> list[Path]:
    """This repository, its environment and its interpreter, where they lie below folders that are `hidden`."""
    interpreter = Path(sys.executable).resolve().parents[1]
    needed = sorted({REPOSITORY, Path(sys.prefix), Path(sys.base_prefix), interpreter})
    below = [folder for folder in needed if folder.parts[1] in hidden]
    return [folder for folder in below if not any(other in folder.parents for other in below)]


@contextlib.contextmanager
def _with_links(
    command: Sequence[str], mounts: Mapping[str, Path], env: Mapping[str, str]
) -> Iterator[subprocess.Popen[str]]:
    with contextlib.ExitStack() as links:
        lock = links.enter_context(Path(tempfile.gettempdir(), "segpipe-pods.lock").open("w"))
        fcntl.flock(lock, fcntl.LOCK_EX)  # One pod at a time has these places; tests run in several processes.
        for path, folder in mounts.items():
            if path == "/tmp":  # This machine's own; of it only the launcher's part is the pod's.
                path, folder = "/tmp/kfp", folder / "kfp"
                folder.mkdir(exist_ok=True)
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).symlink_to(folder)
            links.callback(Path(path).unlink)
        with _popen(command, env) as process:
            yield process


def _popen(command: Sequence[str], env: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        list(command), env=dict(env), cwd="/", text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
