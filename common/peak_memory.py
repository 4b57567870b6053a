"""Peak memory of this process and all below it while something runs."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import TracebackType

from common.process_usage import RESIDENT, megabytes

_SECONDS = 0.5
"""Between two samples."""


class PeakMemory:
    """Samples the memory in a thread: a context manager.

    Of resident memory, the sum over the processes counts pages that they share, as forked workers do, once for each.
    What is held for less than half a second may be missed.
    """

    def __init__(self, what: str = RESIDENT) -> None:
        """`what` is `RESIDENT` or `PROPORTIONAL` of `common.process_usage`."""
        self._what = what
        self.megabytes: float | None = None
        """The highest sample; `None` before the first one, and where there is no `/proc`."""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="peak-memory", daemon=True)

    def __enter__(self) -> PeakMemory:
        self._sample()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._sample()

    def _watch(self) -> None:
        while not self._ended.wait(_SECONDS):
            self._sample()

    def _sample(self) -> None:
        if Path("/proc/self/status").exists():
            self.megabytes = max(self.megabytes or 0.0, megabytes(os.getpid(), self._what))
