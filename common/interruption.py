"""Interruptions of a command from outside: Ctrl-C, SIGTERM, a closed output pipe."""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130
"""Exit status after Ctrl-C, by the convention of shells."""


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


_TOLD = re.compile(
    r"^(?:RuntimeError: )?(?:KeyboardInterrupt|common\.interruption\.Interruption: (.+?))(?: \[while running .*)?$",
    re.MULTILINE,
)
"""An interruption in the text of an error, in which Beam names the transform."""


def interruption_in(error: BaseException | None) -> KeyboardInterrupt | None:
    """Returns the interruption in the chain of causes: Beam turns what interrupts a step into an error of its own."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return error
        told = _TOLD.search(str(error)) if isinstance(error, RuntimeError) else None
        if told:
            return Interruption(told[1], signal.SIGTERM) if told[1] else KeyboardInterrupt()
        error = error.__cause__ or error.__context__
    return None


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
