"""Number of Beam workers on this machine: a core each, as far as the memory suffices."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from pipeline.beam.config import LocalBeam

WORKER_BYTES = 1_000_000_000
"""Memory that a worker takes beside what it shares with the others, with a margin: docs/scale.md has the figures."""

_MEMINFO = Path("/proc/meminfo")
_LIMITS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"), Path("/sys/fs/cgroup/memory/memory.usage_in_bytes")),
)


class WorkerCount(NamedTuple):
    """Number of workers, and why."""

    workers: int
    reason: str


def count_workers(beam: LocalBeam) -> WorkerCount:
    """Returns how many workers to start: the configured number, or with `all` one for each core that memory allows."""
    if beam.workers != "all":
        return WorkerCount(beam.workers, "as configured")
    cores, free = len(os.sched_getaffinity(0)), free_memory()
    if free is None:
        return WorkerCount(cores, f"{cores} cores")
    fitting = max(1, free // WORKER_BYTES)
    reason = f"{cores} cores, {free / 1e9:.1f} GB of memory free, {WORKER_BYTES / 1e9:.1f} GB a worker"
    return WorkerCount(min(cores, fitting), reason)


def free_memory() -> int | None:
    """Returns the memory in bytes that programs can still take, within the container's limit; `None` if unknown."""
    known = [bytes_ for bytes_ in (_machine_memory(), *map(_left, _LIMITS)) if bytes_ is not None]
    return min(known, default=None)


def _machine_memory() -> int | None:
    try:
        lines = _MEMINFO.read_text().splitlines()
    except OSError:
        return None
    kilobytes = [int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
    return kilobytes[0] * 1024 if kilobytes else None


def _left(files: tuple[Path, Path]) -> int | None:
    try:
        limit, used = (int(file.read_text()) for file in files)
    except (OSError, ValueError):  # No such limit, or `max`.
        return None
    return max(0, limit - used)
