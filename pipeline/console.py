"""What a person sees while a run works: the steps, their progress, and none of the libraries' noise.

TensorFlow, TFX and Beam write to standard output and error from Python and from C++.  During a run both streams belong
to a log file, and the console writes to where they led before.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.status import Status

from components.progress import LOGGER_NAME


class Step(NamedTuple):
    """A step of a run that has ended."""

    name: str
    seconds: float
    cached: bool


@contextlib.contextmanager
def quiet_streams(log_file: Path) -> Iterator[Console]:
    """Sends standard output and error, C++'s included, to `log_file`; yields a console on the real output."""
    log_file.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [os.dup(1), os.dup(2)]
    try:
        with log_file.open("ab", buffering=0) as log, os.fdopen(os.dup(saved[0]), "w") as screen:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            with _logging_to_stderr():
                yield Console(file=screen, highlight=False)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor, original in zip((1, 2), saved):
            os.dup2(original, descriptor)
            os.close(original)


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
    """Follows a run through the log: TFX says when a node begins, is cached and ends; steps report their progress.

    LocalDagRunner has no hooks; its log messages' templates are the same in all tested versions.
    """

    def __init__(self, console: Console, labels: dict[str, str]) -> None:
        super().__init__(logging.INFO)
        self.steps: list[Step] = []
        self.current: str | None = None
        self._console = console
        self._labels = labels
        self._status: Status | None = None
        self._began = 0.0
        self._cached = False

    def emit(self, record: logging.LogRecord) -> None:
        """Takes notice of a log message."""
        if record.name == LOGGER_NAME:
            self._progress(record.getMessage(), getattr(record, "transient", False))
        elif record.msg == "Component %s is running.":
            self._begin(str(record.args[0]) if isinstance(record.args, tuple) else "")
        elif record.msg == "A cached execution %d is used.":
            self._cached = True
        elif record.msg == "Component %s is finished.":
            self._end()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Draws while the run goes on."""
        root, reports = logging.getLogger(), logging.getLogger(LOGGER_NAME)
        reports.setLevel(logging.INFO)
        root.addHandler(self)
        try:
            with self._console.status("preparing") as self._status:
                yield
        finally:
            root.removeHandler(self)

    def _begin(self, node: str) -> None:
        self.current, self._began, self._cached = node, time.monotonic(), False
        self._show("")

    def _end(self) -> None:
        if self.current is None:
            return
        step = Step(self.current, time.monotonic() - self._began, self._cached)
        self.steps.append(step)
        how = "[dim]cached[/]" if step.cached else f"{step.seconds:.1f} s"
        self._console.print(f"[green]✓[/] {self._labels.get(step.name, step.name)} [dim]·[/] {how}")
        self.current = None

    def _progress(self, message: str, transient: bool) -> None:
        if transient:
            self._show(message)
        else:
            self._console.print(f"  {message}", markup=False)

    def _show(self, message: str) -> None:
        if self._status and self.current:
            label = self._labels.get(self.current, self.current)
            text = f"{label}: {message}" if message else label
            self._status.update(text.replace("[", r"\["))
