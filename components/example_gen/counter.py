"""Says how far a long count has come, not too often."""

from __future__ import annotations

import threading
import time

from common import progress

_SECONDS = 0.5


class ProgressCounter:
    """Counts up to `total` from any number of threads, and says so about twice a second."""

    def __init__(self, verb: str, total: int) -> None:
        self._verb = verb
        self._total = total
        self._done = 0
        self._said = time.monotonic()
        self._lock = threading.Lock()

    def count(self) -> None:
        """One more is done."""
        with self._lock:
            self._done += 1
            now = time.monotonic()
            if now - self._said < _SECONDS:
                return
            self._said = now
            done = self._done
        progress.update(f"{self._verb} {done} of {self._total} pairs")
