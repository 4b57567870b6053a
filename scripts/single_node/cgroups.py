"""Control groups of the cluster's own: below those of whoever starts it, so that their limits hold for it too."""

from __future__ import annotations

import contextlib
import functools
import json
from pathlib import Path

from .errors import ClusterError
from .places import Places
from .shell import wait

NAME = "segpipe-cluster"
NEEDED = ("cpu", "memory", "pids", "cpuset", "devices")


def hierarchies() -> dict[str, Path]:
    """Controllers, as they are mounted → this process's own group there; one entry, `""`, with version 2 alone."""
    mounts = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    points: dict[frozenset[str], Path] = {}
    for words in mounts:
        kind, options = words[words.index("-") + 1], words[-1]
        if kind == "cgroup":
            points[frozenset(options.split(",")) - {"rw"}] = Path(words[4])
        elif kind == "cgroup2" and words[4] == "/sys/fs/cgroup":
            return {"": Path(words[4])}
    found: dict[str, Path] = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, group = line.split(":", 2)
        point = points.get(frozenset(controllers.split(",")))
        if controllers and point is not None:
            found[controllers] = point / group.lstrip("/")
    return found


def make_groups(places: Places) -> dict[str, Path]:
    """Makes a group in each hierarchy; notes them first, so that `remove_groups` finds them after a crash.

    Raises:
        ClusterError: A controller is missing, or groups cannot be made.
    """
    own = hierarchies()
    there = _controllers(own)
    missing = [name for name in NEEDED if name not in there]
    if missing:
        raise ClusterError(f"this machine has no control groups for {', '.join(missing)}, which Kubernetes needs")
    groups = {controllers: group / NAME for controllers, group in own.items()}
    (places.state / "cgroups.json").write_text(json.dumps({name: str(path) for name, path in groups.items()}))
    try:
        for group in groups.values():
            group.mkdir(exist_ok=True)
            for name in ("cpuset.cpus", "cpuset.mems"):
                if (group / name).exists() and not (group / name).read_text().strip():
                    (group / name).write_text((group.parent / name).read_text())
    except OSError as error:
        raise ClusterError(f"cannot make the control group {error.filename}: {error.strerror}") from None
    return groups


def _controllers(own: dict[str, Path]) -> set[str]:
    if "" in own:  # Version 2 guards devices by programs in the kernel, without a controller.
        return {*(own[""] / "cgroup.controllers").read_text().split(), "devices"}
    return {name for controllers in own for name in controllers.split(",")}


def remove_groups(places: Places) -> None:
    """Removes the groups that `make_groups` noted, once their processes are gone."""
    notes = places.state / "cgroups.json"
    if not notes.exists():
        return
    for group in map(Path, json.loads(notes.read_text()).values()):
        wait(f"the control group {group} was not emptied", functools.partial(_removed, group), 30)
    notes.unlink()


def _removed(group: Path) -> bool:
    if group.name == NAME and group.exists():
        for folder in sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True):
            with contextlib.suppress(OSError):
                folder.rmdir()
        with contextlib.suppress(OSError):
            group.rmdir()
    return not group.exists()
