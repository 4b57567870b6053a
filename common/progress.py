"""How a step tells a person what it is doing, wherever it runs.

Components report through one logger and know nothing of consoles: on a laptop the runner draws what arrives there,
in a pod it is a line of the pod's log.
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
    """Says `message`, a finished sentence or figure that is worth keeping on the screen."""
    if _part.get():
        update(message)
    else:
        _logger.info(message)


def update(message: str) -> None:
    """Says `message`, a passing state that the next one may overwrite (a counter, a step of an epoch)."""
    part = _part.get()
    _logger.info(f"{part}: {message}" if part else message, extra={"transient": True})


@contextmanager
def part(name: str) -> Iterator[None]:
    """What is said inside passes, and begins with `name`: one of many trainings says no more than where it is."""
    token = _part.set(name)
    try:
        yield
    finally:
        _part.reset(token)
