"""Number of Beam workers on this machine: a core each, as far as the memory suffices."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import NamedTuple

from common.plurals import counted
from pipeline.beam.config import LocalBeam

WORKER_BYTES = 1_000_000_000
"""Memory that a worker takes beside what it shares with the others, with a margin: docs/scale.md has the figures."""

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")
"""A container's limits (control groups, version 2)."""


class WorkerCount(NamedTuple):
    """Number of workers, and why."""

    workers: int
    reason: str


def count_workers(beam: LocalBeam) -> WorkerCount:
    """Returns how many workers to start: the configured number, or with `all` one for each core that memory allows."""
    if beam.workers != "all":
        return WorkerCount(beam.workers, "as configured")
    available, free = cores(), free_memory()
    named = counted(available, "core")
    if free is None:
        return WorkerCount(available, named)
    reason = f"{named}, {free / 1e9:.1f} GB of memory free, {WORKER_BYTES / 1e9:.1f} GB a worker"
    return WorkerCount(min(available, max(1, free // WORKER_BYTES)), reason)


def threads_of_each(beam: LocalBeam) -> int:
    """Returns how many threads a worker computes with, so that those of all workers do not compete for the cores."""
    return max(1, cores() // count_workers(beam).workers)


def cores() -> int:
    """Returns the cores that this process may use, within the container's limit."""
    available = len(os.sched_getaffinity(0))
    quota, _, period = _read("cpu.max").partition(" ")
    return min(available, math.ceil(int(quota) / int(period))) if quota.isdigit() else available


def free_memory() -> int | None:
    """Returns the memory in bytes that programs can still take, within the container's limit; `None` if unknown."""
    known = [size for size in (_free_on_machine(), _free_in_container()) if size is not None]
    return min(known, default=None)


def _free_on_machine() -> int | None:
    try:
        lines = _MEMINFO.read_text().splitlines()
    except OSError:
        return None
    kilobytes = [int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
    return kilobytes[0] * 1024 if kilobytes else None


def _free_in_container() -> int | None:
    limit, used = _read("memory.max"), _read("memory.current")
    if not (limit.isdigit() and used.isdigit()):
        return None
    cached = [int(line.split()[1]) for line in _read("memory.stat").splitlines() if line.startswith("inactive_file ")]
    return max(0, int(limit) - int(used) + sum(cached))


def _read(name: str) -> str:
    try:
        return (_CGROUP / name).read_text().strip()
    except OSError:
        return ""
