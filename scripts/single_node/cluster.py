"""The whole: what `start`, `stop`, `load`, `restart` and `status` do."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from . import addons, network, packages
from .cgroups import remove_groups
from .errors import ClusterError
from .images import write_program_image
from .keys import NODE_NAME, make_keys
from .places import REPOSITORY, Places
from .programs import BUILT, ORDER, PAUSE_IMAGE, Programs, write_settings
from .sandbox import Sandbox
from .shell import run, succeeds, wait

_SHELL_TOOLS = ("sh", "cat", "dd", "mkdir", "nslookup", "rm", "sleep", "tail", "wget")
_TOOLS = {"unshare": "util-linux", "nsenter": "util-linux", "mount": "mount", "ip": "iproute2", "openssl": "openssl"}


class Cluster:
    """The cluster of a state folder."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.sandbox = Sandbox(places)
        self.programs = Programs(self.sandbox)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Holds the state, so that of two commands at the same time the second gives way."""
        self.places.state.mkdir(parents=True, exist_ok=True)
        with (self.places.state / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ClusterError(f"another scripts/cluster is running in {self.places.state}") from None
            yield

    def start(self, memory: int | None) -> None:
        """Starts what does not run, until the node is ready and names are answered."""
        check_machine()
        self._say("building what is missing")
        _build(self.places)
        packages.unpack_packages(self.places)
        new = self.sandbox.init is None
        if new:
            network.part()  # Of namespaces that ended without `stop`.
        self.sandbox.open()
        network.join(self.sandbox.init or 0)
        make_keys(self.places)
        if (new or memory is not None) and write_settings(self.places, memory):
            self.programs.stop("kubelet")
        for name in ORDER:
            if name == "kubelet":
                self._load_own_images()
            self._say(f"starting {name}")
            self.programs.start(name)
        self._say("waiting for node and names")
        self._settle()

    def stop(self) -> None:
        """Ends everything, and removes all but the built programs and Debian's packages."""
        need_root()
        self.sandbox.close()
        network.part()
        remove_groups(self.places)
        if any(str(self.places.run) in line for line in Path("/proc/self/mountinfo").read_text().splitlines()):
            raise ClusterError(f"something is mounted below {self.places.run}, so it was not removed")
        if self.places.run.exists():
            shutil.rmtree(self.places.run)
        (self.places.state / "lock").unlink(missing_ok=True)

    def restart(self, name: str) -> None:
        """Ends one program and starts it again."""
        names = {each.removeprefix("kube-"): each for each in ORDER}
        name = names.get(name.removeprefix("kube-"), "")
        if not name:
            raise ClusterError(f"unknown program; those that run here are {', '.join(ORDER)}")
        self._need()
        self.programs.stop(name)
        self.programs.start(name)

    def load(self, archive: Path) -> str:
        """Loads an image's archive, as `docker save` or `single_node.images` writes it."""
        self._need()
        if not archive.is_file():
            raise ClusterError(f"{archive} is not a file; an image's archive is what `docker save` writes")
        return run(*self.programs.ctr("images", "import", archive.resolve()))

    def status(self) -> dict[str, bool]:
        """Program → whether it is running."""
        return {name: self.programs.at_work(name) for name in ORDER}

    def kubectl(self, *words: object) -> tuple[str, ...]:
        """The command line of kubectl on this cluster."""
        built = self.places.programs / "kubectl"
        program = built if built.exists() else shutil.which("kubectl")
        return tuple(str(word) for word in (program, "--kubeconfig", self.places.kubeconfig, *words))

    def _need(self) -> None:
        need_root()
        if self.sandbox.init is None:
            raise ClusterError("the cluster does not run; `scripts/cluster start` starts it")

    def _load_own_images(self) -> None:
        folder = self.places.programs
        busybox = packages.program(self.places, "bin/busybox")
        tools = {f"/bin/{name}": busybox for name in _SHELL_TOOLS}
        for name, files, entrypoint in (
            (PAUSE_IMAGE, {"/pause": folder / "pause"}, ["/pause"]),
            (addons.COREDNS_IMAGE, {"/coredns": folder / "coredns"}, ["/coredns"]),
            (addons.PROVISIONER_IMAGE, {"/provisioner": folder / "local-path-provisioner"}, ["/provisioner"]),
            (addons.SHELL_IMAGE, tools, ["/bin/sh"]),
        ):
            if name not in run(*self.programs.ctr("images", "list", "-q")).split():
                archive = self.places.run / "image.tar"
                write_program_image(archive, name, files, entrypoint)
                self.load(archive)
                archive.unlink()

    def _settle(self) -> None:
        manifests = json.dumps({"apiVersion": "v1", "kind": "List", "items": addons.objects()})
        run(*self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-"), stdin=manifests)
        ready = self.kubectl("wait", "--for=condition=Ready", f"node/{NODE_NAME}", "--timeout=2s")
        wait("the node was not ready", lambda: succeeds(*ready), 180, look=f"{self.places.logs / 'kubelet.log'}")
        for namespace, name in (("kube-system", "coredns"), ("local-path-storage", "local-path-provisioner")):
            run(*self.kubectl("-n", namespace, "rollout", "status", f"deployment/{name}", "--timeout=180s"))
        account = self.kubectl("-n", "default", "get", "serviceaccount", "default")
        wait("the namespace default got no account", lambda: succeeds(*account), 60)

    def _say(self, what: str) -> None:
        print(f"cluster: {what}", file=sys.stderr)


def need_root() -> None:
    """Raises ClusterError for a user who may make no namespaces."""
    if os.geteuid() != 0:
        raise ClusterError("needs root, for namespaces, mounts and control groups")


def check_machine() -> None:
    """Raises ClusterError if this machine cannot have a cluster, before anything is built."""
    if sys.platform != "linux":
        raise ClusterError("needs Linux")
    need_root()
    for tool, package in _TOOLS.items():
        if shutil.which(tool) is None:
            raise ClusterError(f"needs the program '{tool}', of Debian's package {package}")
    if not succeeds("unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "--cgroup", "--fork", "true"):
        raise ClusterError("this machine lets nobody make namespaces, which every pod needs")


def missing_programs(places: Places) -> list[str]:
    """What is to be built before a cluster can start; a kubectl of this machine will do."""
    missing = [name for name in BUILT if not (places.programs / name).exists()]
    return [name for name in missing if name != "kubectl" or shutil.which("kubectl") is None]


def _build(places: Places) -> None:
    missing = missing_programs(places)
    if not missing:
        return
    if shutil.which("go") is None:
        raise ClusterError(f"needs Go to build {', '.join(missing)}: https://go.dev/dl")
    environment = {**os.environ, "SEGPIPE_KUBERNETES": str(places.programs)}
    run(REPOSITORY / "scripts" / "kubernetes-programs", *missing, env=environment)
