"""Progress reports of a step, independent of where it runs.

Components report through one logger: the local runner shows the reports on the console, a pod writes them as lines of
its log.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

LOGGER_NAME = "segpipe.progress"
_logger = logging.getLogger(LOGGER_NAME)
_part: ContextVar[str] = ContextVar("part", default="")


def report(message: str) -> None:
    """Reports `message`, a result that stays on the screen."""
    if _part.get():
        update(message)
    else:
        _logger.info(message)


def update(message: str) -> None:
    """Reports `message`, a passing state that the next one may overwrite (a counter, a step of an epoch)."""
    part = _part.get()
    _logger.info(f"{part}: {message}" if part else message, extra={"transient": True})


@contextmanager
def part(name: str) -> Iterator[None]:
    """Turns reports inside the context into passing states that begin with `name`, as for one of many trainings."""
    token = _part.set(name)
    try:
        yield
    finally:
        _part.reset(token)
