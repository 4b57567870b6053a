"""Console output of a run: the steps and their progress, without the libraries' log output.

TensorFlow, TFX and Beam write to standard output and error from Python and from C++.  During a run both streams are
redirected to a log file, and the console writes to their original destination.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

from rich.console import Console
from rich.markup import escape

from common.interruption import output_closed
from common.peak_memory import PeakMemory
from common.plain_path import without_aliases
from common.process_usage import cpu_seconds
from common.progress import LOGGER_NAME

_WIDTH_OF_FILES = 160


def make_console(file: TextIO | None = None, least_width: int = 0) -> Console:
    """Returns a console on `file` or standard output; if that is not a terminal, tables are not cut to 80 columns.

    Args:
        file: Where it writes.
        least_width: Width of the tables even if the terminal is narrower, so that it wraps the lines.
    """
    console = _Console(file=file, highlight=False)
    if not console.is_terminal:
        return _Console(file=file, highlight=False, width=_WIDTH_OF_FILES)
    return console if console.width >= least_width else _Console(file=file, highlight=False, width=least_width)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Ends the command with a message and an exit status; Rich's own handler has neither."""
        self.quiet = True
        raise output_closed()


class Step(NamedTuple):
    """A step of a run that has ended."""

    name: str
    seconds: float
    cached: bool
    megabytes: float | None = None
    """Peak of the memory that the process and all below it held, see `common.peak_memory`."""
    cpu_seconds: float = 0.0
    """CPU time of the process and all below it, which over `seconds` is how many cores were busy."""


@contextlib.contextmanager
def quiet_streams(log_file: Path) -> Iterator[Console]:
    """Redirects standard output and error, C++'s included, to `log_file`; yields a console on the original output."""
    log_file.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [os.dup(1), os.dup(2)]
    try:
        with log_file.open("ab", buffering=0) as log, _screen(saved[0]) as screen:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            with _logging_to_stderr():
                yield make_console(screen)
    finally:
        _flush_or_drop()
        for descriptor, original in zip((1, 2), saved, strict=True):
            os.dup2(original, descriptor)
            os.close(original)


@contextlib.contextmanager
def _screen(descriptor: int) -> Iterator[TextIO]:
    """Opens a separate file on `descriptor`; output that a closed pipe no longer accepts is dropped at the end."""
    screen = os.fdopen(os.dup(descriptor), "w", errors="replace")
    try:
        yield screen
    finally:
        with contextlib.suppress(BrokenPipeError):
            screen.close()


def _flush_or_drop() -> None:
    """Flushes Python's buffers, or drops their content if the log's disk is full: it would go to the screen later."""
    for stream, descriptor in ((sys.stdout, 1), (sys.stderr, 2)):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, descriptor)
            os.close(nowhere)
            stream.flush()


@contextlib.contextmanager
def _logging_to_stderr() -> Iterator[None]:
    root = logging.getLogger()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    before = root.level, root.handlers[:]
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    try:
        with warnings.catch_warnings():
            yield
    finally:
        logging.captureWarnings(False)
        root.setLevel(before[0])
        root.handlers[:] = before[1]


class StepWatcher(logging.Handler):
    """Shows the progress of a run: the current step, what it reports, and how long each step took."""

    def __init__(self, console: Console, display_name: Callable[[str], str]) -> None:
        super().__init__(logging.INFO)
        self.steps: list[Step] = []
        self.console = console
        self._display_name = display_name
        self._status = console.status("preparing")
        self._current = ""
        self.node = ""
        """The step that runs, or the last one that ran, by its id in the pipeline."""

    def emit(self, record: logging.LogRecord) -> None:
        """Shows what a step reports."""
        message = without_aliases(record.getMessage())
        if getattr(record, "transient", False):
            self._status.update(escape(f"{self._current}: {message}"))
        else:
            self.console.print(f"  {message}", markup=False, soft_wrap=True)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Shows the progress while the run lasts."""
        reports = logging.getLogger(LOGGER_NAME)
        reports.setLevel(logging.INFO)
        reports.addHandler(self)
        try:
            with self._status:
                yield
        finally:
            reports.removeHandler(self)

    @contextlib.contextmanager
    def step(self, node: str, was_cached: Callable[[str], bool]) -> Iterator[None]:
        """Shows one step, and records it if it succeeds."""
        self.node, self._current = node, self._display_name(node)
        self._status.update(self._current)
        began, cpu_before = time.monotonic(), cpu_seconds(os.getpid())
        try:
            with PeakMemory() as memory:
                yield
        except BaseException:
            self.console.print(f"[red]✗[/] {self._current}")
            raise
        seconds, spent = time.monotonic() - began, cpu_seconds(os.getpid()) - cpu_before
        step = Step(node, seconds, was_cached(node), memory.megabytes, spent)
        self.steps.append(step)
        how = "[dim]cached[/]" if step.cached else f"{step.seconds:.1f} s"
        self.console.print(f"[green]✓[/] {self._current} [dim]·[/] {how}")
