"""Memory of the processes that run the tests: what a module's tests leave behind is freed, and peaks are reported."""

from __future__ import annotations

import ctypes
import gc
import resource
from pathlib import Path

LIMIT_MEGABYTES = 3000
"""A laptop of 8 GB holds two such processes."""

AFTER_A_TEST, AFTER_A_MODULE = 250, 100
"""Megabytes by which a process has grown when a collection is worth the half second that it takes with TensorFlow."""

_M_ARENA_MAX = -8  # malloc.h
_ARENAS = 2


class Releaser:
    """Frees garbage whenever the process has grown since the last time."""

    def __init__(self) -> None:
        self._megabytes = resident_megabytes()

    def release(self, worth_megabytes: int) -> None:
        """Collects what only reference cycles keep, as graphs do, and returns free pages to the system."""
        if resident_megabytes() < self._megabytes + worth_megabytes:
            return
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        self._megabytes = resident_megabytes()


def keep_few_arenas() -> None:
    """Limits glibc's arenas in this process alone: by default each thread of a server may keep one of its own."""
    ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)


def resident_megabytes() -> int:
    """Returns the memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() >> 20


def peak_megabytes() -> int:
    """Returns the most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def over_limit(peaks: dict[str, int]) -> list[str]:
    """Returns a line for each process whose peak, by its name, is over the limit."""
    return [
        f"{name} held {megabytes} MB of memory, more than {LIMIT_MEGABYTES} MB: find the tests that keep it"
        for name, megabytes in peaks.items()
        if megabytes > LIMIT_MEGABYTES
    ]
