"""Progress counter with a limited message rate."""

from __future__ import annotations

import threading
import time

from common import progress

_SECONDS = 0.5


class ProgressCounter:
    """Counts up to `total` from any number of threads, and reports about twice a second."""

    def __init__(self, verb: str, total: int, things: str = "pairs") -> None:
        self._verb = verb
        self._total = total
        self._things = things
        self._done = 0
        self._said = time.monotonic()
        self._lock = threading.Lock()

    def count(self, number: int = 1) -> None:
        """Counts one more, or `number` more."""
        with self._lock:
            self._done += number
            now = time.monotonic()
            if now - self._said < _SECONDS:
                return
            self._said = now
            done = self._done
        progress.count(self._verb, done, self._total, self._things)
