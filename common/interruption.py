"""Interruptions of a command from outside: Ctrl-C, SIGTERM, a closed output pipe."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interruption(KeyboardInterrupt):
    """An interruption other than Ctrl-C; like KeyboardInterrupt, it is not caught by `except Exception`."""

    def __init__(self, what: str, number: signal.Signals) -> None:
        super().__init__(what)
        self.what = what
        """What happened, as a message."""
        self.status = 128 + number
        """The exit status, as shells define it."""


def output_closed() -> Interruption:
    """Returns the interruption for a closed pipe, as in `segpipe versions | head -1`."""
    return Interruption("stopped, because the reader of its output has closed it", signal.SIGPIPE)


@contextmanager
def interrupted_by_sigterm() -> Iterator[None]:
    """Handles SIGTERM, which stops a container, like Ctrl-C: an orderly end with a message."""

    def terminate(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # A second SIGTERM ends the process at once.
        raise Interruption("terminated", signal.SIGTERM)

    if threading.current_thread() is not threading.main_thread():  # Only the main thread may handle signals.
        yield
        return
    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
