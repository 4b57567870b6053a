"""The cluster of `scripts/cluster`, for tests: pods that run, on this machine's own node."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPT = REPOSITORY / "scripts" / "cluster"
HOST = "172.30.255.1"
"""This machine, as pods see it."""
SHELL_IMAGE = "segpipe.local/busybox:1"
LOCK = Path(tempfile.gettempdir(), "segpipe-cluster.lock")
"""Held by the tests that use the machine's one cluster."""
Json = dict[str, Any]
_USER = 10001


class Cluster:
    """A running cluster."""

    def __init__(self) -> None:
        sys.path.insert(0, str(SCRIPT.parent))
        from single_node.cluster import Cluster as Node
        from single_node.places import find_places

        self.places = find_places()
        self.node = Node(self.places)

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.places.kubeconfig

    def run(self, *words: object, check: bool = True, seconds: float = 600) -> str:
        """What `scripts/cluster` says."""
        return _said([SCRIPT, *words], None, check, seconds)

    def kubectl(self, *words: object, stdin: str | None = None, check: bool = True, seconds: float = 180) -> str:
        """What kubectl says, warnings included."""
        return _said(list(self.node.kubectl(*words)), stdin, check, seconds)

    def images(self) -> list[str]:
        """The names of the images that pods can have without a registry."""
        return _said(list(self.node.programs.ctr("images", "list", "-q")), None, True, 60).split()

    def apply(self, *objects: Json, check: bool = True) -> str:
        """Creates objects, or changes them."""
        items = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        # Under a name of their own, so that an overlay that is applied afterwards does not take their fields away.
        words = ("apply", "--server-side", "--force-conflicts", "--field-manager=tests", "-f", "-")
        return self.kubectl(*words, stdin=json.dumps(items), check=check)

    def get(self, kind: str, name: str, namespace: str) -> Json:
        """An object as it is now; empty if it is not there."""
        text = self.kubectl("-n", namespace, "get", kind, name, "-o", "json", "--ignore-not-found")
        return json.loads(text) if text.strip() else {}

    def wait(self, kind: str, name: str, namespace: str, so: Callable[[Json], Any], seconds: float = 120) -> Json:
        """Asks for an object until something is true of it; the object."""
        deadline = time.monotonic() + seconds
        while True:
            found = self.get(kind, name, namespace)
            if found and so(found):
                return found
            assert time.monotonic() < deadline, f"{kind} {name} is {json.dumps(found.get('status'), indent=1)}"
            time.sleep(0.5)

    def wait_for_pod(self, name: str, namespace: str, seconds: float = 300) -> Json:
        """A pod that has ended."""
        return self.wait("pod", name, namespace, lambda pod: pod["status"]["phase"] in {"Succeeded", "Failed"}, seconds)

    def events(self, name: str, namespace: str) -> list[str]:
        """What the cluster has said of an object: reason and message, one an entry, the oldest first."""
        text = self.kubectl(
            "-n", namespace, "get", "events", "--field-selector", f"involvedObject.name={name}", "-o", "json"
        )
        return [f"{event['reason']}: {event['message']}" for event in json.loads(text)["items"]]

    def logs(self, name: str, namespace: str, *more: object) -> str:
        """A pod's log."""
        return self.kubectl("-n", namespace, "logs", name, *more, check=False)

    @contextlib.contextmanager
    def namespace(self, **labels: str) -> Iterator[str]:
        """A namespace of its own, gone with all that is in it afterwards."""
        name = f"test-{uuid.uuid4().hex[:8]}"
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        self.wait("serviceaccount", "default", name, bool)
        try:
            yield name
        finally:
            self.kubectl("delete", "namespace", name, "--wait=false", "--now", check=False)


def pod(name: str, script: str, image: str = SHELL_IMAGE, **container: Any) -> Json:
    """A pod that runs a shell's script, as the profile "restricted" wants it."""
    secured = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    main = {"name": "main", "image": image, "command": ["sh", "-c", script], "securityContext": secured, **container}
    user = {"runAsNonRoot": True, "runAsUser": _USER, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {"restartPolicy": "Never", "securityContext": user, "containers": [main], "terminationGracePeriodSeconds": 1}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def put_into(namespace: str, manifest: Json) -> Json:
    """The object in a namespace."""
    return {**manifest, "metadata": {**manifest["metadata"], "namespace": namespace}}


def image_with(files: Mapping[str, Path], name: str, settings: Json) -> Path:
    """The archive of an image that has these programs with the libraries that they load, and a /tmp for everyone."""
    from single_node.images import write_image

    archive = Path(tempfile.mkstemp(suffix=".tar", dir=REPOSITORY / "build")[1])
    libraries = {library: Path(library) for file in files.values() for library in _libraries(file)}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "tmp").mkdir()
        (root / "tmp").chmod(0o1777)
        root.chmod(0o755)
        write_image(archive, name, root=root, files={**libraries, **files}, settings=settings)
    return archive


def _libraries(program: Path) -> list[str]:
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    return [word for line in listed.splitlines() for word in line.split() if word.startswith("/")]


@contextlib.contextmanager
def running_cluster() -> Iterator[Cluster]:
    """A cluster that runs while the context is open: a node of 4 GiB, with as many cores as the machine has.

    The machine has one at a time, so tests wait for each other.  One that a person has started is used as it is, and
    left running.
    """
    reason = why_not()
    if reason:
        pytest.skip(reason)
    cluster = Cluster()
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = cluster.node.sandbox.init is not None
        cluster.run("start", "--memory", "4Gi")
        try:
            yield cluster
        finally:
            if not before:
                cluster.run("stop")


@functools.cache
def why_not() -> str:
    """Why there can be no cluster here; empty if there can."""
    if os.geteuid() != 0:
        return "a cluster needs root"
    sys.path.insert(0, str(SCRIPT.parent))
    from single_node.cluster import check_machine, missing_programs
    from single_node.errors import ClusterError
    from single_node.places import find_places

    missing = missing_programs(find_places())
    if missing:
        return f"there is no {missing[0]}; `scripts/cluster start` builds it with Go, once, in half an hour"
    try:
        check_machine()
    except ClusterError as error:
        return str(error)
    return ""


def _said(command: list[object], stdin: str | None, check: bool, seconds: float) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=seconds,
    )
    assert done.returncode == 0 or not check, done.stdout
    return done.stdout
