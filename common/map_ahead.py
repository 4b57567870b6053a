"""A map over items in a few threads, ahead of who takes the results."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

THREADS = 8
_T = TypeVar("_T")
_R = TypeVar("_R")


def map_ahead(work: Callable[[_T], _R], items: Iterable[_T], threads: int | None = None) -> Iterator[_R]:
    """`map(work, items)` in a few threads: decoding, hashing and reading release Python's lock.

    Twice as many items as threads are taken ahead.

    Args:
        work: Called in a thread for each item.
        items: Taken in the caller's thread.
        threads: Number of threads; default: one for each core, 8 at most.
    """
    threads = threads or min(THREADS, os.cpu_count() or 1)
    with ThreadPoolExecutor(threads) as pool:
        ahead: deque[Future[_R]] = deque()
        try:
            for item in items:
                ahead.append(pool.submit(work, item))
                if len(ahead) >= 2 * threads:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()
