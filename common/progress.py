"""Progress messages of the steps, independent of where they run.

Components report through one logger and know nothing of consoles: on a laptop the runner displays the messages,
in a pod each is a line of the pod's log.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

LOGGER_NAME = "segpipe.progress"
COUNTED = "counted"
"""Attribute of a log record that counts: the verb, how many are done, the total, and what is counted."""
_logger = logging.getLogger(LOGGER_NAME)
_part: ContextVar[str] = ContextVar("part", default="")


def report(message: str) -> None:
    """Reports `message`, which stays on the screen."""
    if _part.get():
        update(message)
    else:
        _logger.info(message)


def update(message: str) -> None:
    """Reports `message`, a transient state that the next one may overwrite (a counter, a step of an epoch)."""
    part = _part.get()
    _logger.info(f"{part}: {message}" if part else message, extra={"transient": True})


def count(verb: str, done: int, total: int, things: str = "pairs") -> None:
    """Reports a count, a transient state; the counts of several processes can be added up."""
    counted = (verb, done, total, things)
    _logger.info(counted_text(*counted), extra={"transient": True, COUNTED: counted})


def counted_text(verb: str, done: int, total: int, things: str) -> str:
    """Returns the message of a count."""
    return f"{verb} {done} of {total} {things}"


@contextmanager
def part(name: str) -> Iterator[None]:
    """Makes messages inside transient and prefixes them with `name`, as for one of many trainings."""
    token = _part.set(name)
    try:
        yield
    finally:
        _part.reset(token)
