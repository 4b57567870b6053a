"""What ends a command from outside: Ctrl-C, a signal to terminate, a reader of its output that has gone."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interruption(KeyboardInterrupt):
    """An end from outside, other than by Ctrl-C; it passes through what catches errors, as that does."""

    def __init__(self, what: str, number: signal.Signals) -> None:
        super().__init__(what)
        self.what = what
        """What has happened, in the words of a message."""
        self.status = 128 + number
        """The exit status, as shells have it."""


def output_closed() -> Interruption:
    """The interruption by a closed pipe, as in `segpipe versions | head -1`."""
    return Interruption("stopped, because the reader of its output has closed it", signal.SIGPIPE)


@contextmanager
def interrupted_by_sigterm() -> Iterator[None]:
    """Lets SIGTERM, which stops a container, end the work as Ctrl-C does: in order, with a sentence."""

    def terminate(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # A second one ends it at once.
        raise Interruption("terminated", signal.SIGTERM)

    if threading.current_thread() is not threading.main_thread():  # Which alone may handle signals.
        yield
        return
    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
