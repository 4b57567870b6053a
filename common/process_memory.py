"""The memory of a process and its children, from Linux's /proc (proc(5))."""

from __future__ import annotations

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


def _family(pid: int) -> Iterator[int]:
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in _read(children).split():
            yield from _family(int(child))


def _kilobytes(pid: int, what: str) -> int:
    file = "smaps_rollup" if what == PROPORTIONAL else "status"
    found = re.search(rf"^{what}:\s+(\d+) kB$", _read(Path(f"/proc/{pid}/{file}")), re.M)
    return int(found[1]) if found else 0


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""  # It has exited.
