"""The memory and the CPU time of a process and its children, from Linux's /proc (proc(5))."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

RESIDENT = "VmRSS"
PEAK = "VmHWM"
PROPORTIONAL = "Pss"


def megabytes(pid: int, what: str) -> float:
    """`RESIDENT`, the memory held now, or `PEAK`, the most ever held, of a process and all below it.

    `PROPORTIONAL` is the memory held now with each shared page divided among those that share it; it takes longer.
    """
    return sum(_kilobytes(process, what) for process in _family(pid)) / 1024


def cpu_seconds(pid: int) -> float:
    """CPU time (user and system) of a process and all below it, also of those that have ended and were waited for."""
    return sum(_cpu_ticks(process) for process in _family(pid)) / os.sysconf("SC_CLK_TCK")


def _family(pid: int) -> Iterator[int]:
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in _read(children).split():
            yield from _family(int(child))


def _kilobytes(pid: int, what: str) -> int:
    file = "smaps_rollup" if what == PROPORTIONAL else "status"
    found = re.search(rf"^{what}:\s+(\d+) kB$", _read(Path(f"/proc/{pid}/{file}")), re.M)
    return int(found[1]) if found else 0


def _cpu_ticks(pid: int) -> int:
    # The second field, the name in brackets, may hold spaces; utime, stime, cutime and cstime are the fields 14 to 17.
    fields = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return sum(map(int, fields[11:15]))


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""  # It has exited.
