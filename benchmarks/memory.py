"""The memory of a process and of all that it has started."""

from __future__ import annotations

import os
import threading
from pathlib import Path


class PeakMemory:
    """The most memory that this process and those below it had together (PSS), read twice a second."""

    def __init__(self) -> None:
        self.megabytes = 0.0
        self._ended = threading.Event()

    def __enter__(self) -> PeakMemory:
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._read()

    def _watch(self) -> None:
        while not self._ended.wait(0.5):
            self._read()

    def _read(self) -> None:
        self.megabytes = max(self.megabytes, sum(map(_proportional_megabytes, _family(os.getpid()))))


def _family(process: int) -> list[int]:
    """A process and all below it; the process that workers are forked from is one of them."""
    try:
        children = [
            int(child)
            for task in Path(f"/proc/{process}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:
        return []
    return [process, *(member for child in children for member in _family(child))]


def _proportional_megabytes(process: int) -> float:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1000
