"""Memory of the processes that run the tests: what a module's tests leave behind is freed, and peaks are reported."""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
from pathlib import Path
from types import ModuleType

LIMIT_MEGABYTES = 3000
"""A laptop of 8 GB holds two such processes."""

WORTH_MEGABYTES = 100
"""Megabytes that a module has left behind when a collection is worth the half second that it takes with TensorFlow."""
WORTH_WITHIN_MEGABYTES = 150
"""Megabytes by which a process has grown since the last collection when it is worth it within a module, too."""

_M_ARENA_MAX = -8  # malloc.h
_ARENAS = 2


class Releaser:
    """Frees garbage whenever a process has grown."""

    def __init__(self) -> None:
        self._at_module_start = self._last = resident_megabytes()

    def after_test(self) -> None:
        """Frees garbage if the process has grown much since the last time."""
        if resident_megabytes() >= self._last + WORTH_WITHIN_MEGABYTES:
            self._free()

    def after_module(self, module: ModuleType) -> None:
        """Drops what the module's functions cache, and frees garbage if the process has grown since it began."""
        drop_caches(module)
        if resident_megabytes() >= self._at_module_start + WORTH_MEGABYTES:
            self._free()
        self._at_module_start = resident_megabytes()

    def _free(self) -> None:
        """Collects what only reference cycles keep, as graphs do, and returns free pages to the system."""
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        self._last = resident_megabytes()


def drop_caches(module: ModuleType) -> None:
    """Empties what a module's own functions cache, and the names of layers that Keras keeps for the process."""
    for function in vars(module).values():
        if hasattr(function, "cache_clear") and getattr(function, "__module__", None) == module.__name__:
            function.cache_clear()
    if "tf_keras" in sys.modules:
        sys.modules["tf_keras"].backend.clear_session()


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
