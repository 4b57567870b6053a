"""The namespaces that all programs of the cluster live in; when their first process ends, the kernel ends the others.

What they mount, the interfaces between them and every process of a pod then go as well, whatever ended it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from .cgroups import make_groups
from .errors import ClusterError
from .keys import NODE_NAME
from .places import INSIDE, Places
from .shell import run, succeeds, wait

# What the kubelet sets for the whole machine, and here only sees set (pkg/kubelet/cm, setupKernelTunables).
_TUNED = {
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "kernel/keys/root_maxkeys": 1000000,
    "kernel/keys/root_maxbytes": 25000000,
}
# Begins the program behind a file for its number and one for what it says, in the group for what is not a pod.
_BEGIN = """
for group in /sys/fs/cgroup/system /sys/fs/cgroup/*/system; do
  [ ! -e "$group/cgroup.procs" ] || echo $$ >"$group/cgroup.procs"
done
echo $$ >"$1"
exec >>"$2" 2>&1 </dev/null
shift 2
exec setsid "$@"
"""
# Joins the control groups before `--`, and becomes the program after it.
_JOIN = """
for group; do
  shift
  [ "$group" != -- ] || break
  echo $$ >"$group/cgroup.procs"
done
exec "$@"
"""
_NAMESPACES = ("--mount", "--net", "--pid", "--ipc", "--uts", "--cgroup")


class Sandbox:
    """The namespaces of one state folder."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self._note = places.state / "init.json"  # Process id and start time, so that no other process is taken for it.

    @property
    def init(self) -> int | None:
        """The first process, as this machine counts; `None` if it does not run."""
        if not self._note.exists():
            return None
        with contextlib.suppress(OSError, ValueError):
            noted = json.loads(self._note.read_text())
            if _started(noted["pid"]) == noted["started"]:
                return int(noted["pid"])
        return None

    def open(self) -> None:
        """Makes the namespaces, if they are not there."""
        if self.init is not None:
            return
        for name in ("log", "pids"):
            (self.places.run / name).mkdir(parents=True, exist_ok=True)
        for stale in (self.places.run / "pids").iterdir():
            stale.unlink()
        self._note.unlink(missing_ok=True)
        groups = make_groups(self.places)
        first = (sys.executable, Path(__file__).resolve().parents[1] / "cluster", "init")
        command = ("sh", "-c", _JOIN, "sh", *groups.values(), "--", "unshare", *_NAMESPACES, "--fork", *first)
        with (self.places.logs / "init.log").open("w") as log:
            words = [str(word) for word in command]
            subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        wait("the namespaces were not made", lambda: self._ready, 20, look=f"{self.places.logs / 'init.log'}")

    @property
    def _ready(self) -> bool:
        return self.init is not None and Path(f"/proc/{self.init}/exe").readlink() == self.places.programs / "pause"

    def close(self) -> None:
        """Ends every process in the namespaces."""
        init = self.init
        if init is not None:
            os.kill(init, signal.SIGKILL)
            wait("the cluster's processes did not end", lambda: self.init is None, 60)
        self._note.unlink(missing_ok=True)

    def become_init(self) -> None:
        """In the new namespaces: mounts what the programs see, and becomes the process that takes in orphans."""
        pid = int(str(Path("/proc/self").readlink()))  # As the machine's own /proc says, which is still mounted.
        self._note.write_text(json.dumps({"pid": pid, "started": _started(pid)}))
        pause, groups = self.places.programs / "pause", json.loads((self.places.state / "cgroups.json").read_text())
        _mount_all(self.places, list(groups))
        run("hostname", NODE_NAME)
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        os.execv(pause, [str(pause)])  # noqa: S606

    def inside(self, *command: object) -> tuple[str, ...]:
        """The command line that runs a program in the namespaces."""
        if self.init is None:
            raise ClusterError("the cluster does not run; `scripts/cluster start` starts it")
        words = ("nsenter", "-t", self.init, "-m", "-n", "-p", "-i", "-u", "-C", *command)
        return tuple(str(word) for word in words)

    def spawn(self, name: str, command: Sequence[object], env: Mapping[str, str]) -> None:
        """Starts a program that goes on; its number in the namespace is in `pids`, what it says in `log`."""
        pid, log = INSIDE / "pids" / name, INSIDE / "log" / f"{name}.log"
        run(*self.inside("sh", "-c", '"$@" & :', "sh", "sh", "-c", _BEGIN, "sh", pid, log, *command), env=dict(env))

    def pid(self, name: str) -> int | None:
        """The number of a program in the namespace; `None` if it does not run."""
        if self.init is None:
            return None
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.places.run / "pids" / name).read_text())
            state = Path(f"/proc/{self.init}/root/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            return pid if state != "Z" else None
        return None

    def end(self, name: str) -> None:
        """Ends a program, by force if it does not in ten seconds."""
        pid = self.pid(name)
        if pid is None:
            return
        for force, seconds in ((signal.SIGTERM, 10), (signal.SIGKILL, 10)):
            succeeds(*self.inside("kill", f"-{force.value}", pid))
            with contextlib.suppress(ClusterError):
                wait(f"{name} did not end", lambda: self.pid(name) is None, seconds)
                break
        (self.places.run / "pids" / name).unlink(missing_ok=True)


def _started(pid: int) -> str | None:
    """When a process started, in the kernel's ticks; `None` if there is none."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if words[0] in "ZX" else words[19]


def _mount_all(places: Places, hierarchies: list[str]) -> None:
    run("mount", "--make-rprivate", "/")
    run("mount", "-t", "proc", "proc", "/proc")
    run("mount", "-t", "sysfs", "sysfs", "/sys")
    _mount_groups(hierarchies)
    for hidden in ("/run", "/var/lib"):
        run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", hidden)
    INSIDE.mkdir()
    run("mount", "--bind", places.run, INSIDE)
    run("mount", "--bind", INSIDE / "log", "/var/log")
    (INSIDE / "tuned").mkdir(exist_ok=True)
    for key, value in _TUNED.items():
        shown = INSIDE / "tuned" / key.replace("/", ".")
        shown.write_text(f"{value}\n")
        run("mount", "--bind", shown, f"/proc/sys/{key}")
    run("mount", "--make-rshared", "/")


def _mount_groups(hierarchies: list[str]) -> None:
    top = Path("/sys/fs/cgroup")
    if hierarchies == [""]:
        run("mount", "-t", "cgroup2", "cgroup2", top)
        (top / "system").mkdir(exist_ok=True)
        (top / "system" / "cgroup.procs").write_text("0")
        controllers = (top / "cgroup.controllers").read_text().split()
        (top / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in controllers))
        return
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", top)
    for hierarchy in hierarchies:
        point = top / hierarchy.removeprefix("name=")
        point.mkdir()
        options = f"none,{hierarchy}" if hierarchy.startswith("name=") else hierarchy
        run("mount", "-t", "cgroup", "-o", options, "cgroup", point)
        (point / "system").mkdir(exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):
            if (point / name).exists():
                (point / "system" / name).write_text((point / name).read_text())
