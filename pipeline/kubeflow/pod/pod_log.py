"""Log of a pod: the step's progress in plain lines, and the libraries' warnings."""

from __future__ import annotations

import logging
import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from common.progress import LOGGER_NAME

TERMINATION_LOG = Path("/dev/termination-log")
"""Termination message, which `kubectl describe` and Kubernetes' events show."""

_TERMINATION_BYTES = 4096
_SECONDS_BETWEEN_PASSING = 15.0


class PodLog(logging.Handler):
    """Writes each report of the step as a line; of passing states only one at intervals, as a sign of life."""

    def __init__(self, rewrite: Callable[[str], str] = str) -> None:
        """`rewrite` is applied to each line, for example to replace paths of artifacts by URIs."""
        super().__init__(logging.INFO)
        self._rewrite = rewrite
        self._next_passing = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one line, or holds back a passing state."""
        if getattr(record, "transient", False):
            if time.monotonic() < self._next_passing:
                return
            self._next_passing = time.monotonic() + _SECONDS_BETWEEN_PASSING
        say(self._rewrite(record.getMessage()))


def say(line: str) -> None:
    """Writes one line to the pod's log at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def log_to_pod(rewrite: Callable[[str], str] = str) -> None:
    """Sends this process's progress to the pod's log; `SEGPIPE_DEBUG=1` includes the libraries' messages."""
    debug = os.environ.get("SEGPIPE_DEBUG") == "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "0" if debug else "2")
    if not debug:
        for category in (
            DeprecationWarning,
            FutureWarning,
        ):  # Warnings of third-party packages for their own developers.
            warnings.simplefilter("ignore", category)
    libraries = logging.StreamHandler(sys.stderr)
    libraries.setLevel(logging.INFO if debug else logging.WARNING)
    libraries.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().handlers[:] = [libraries]
    reports = logging.getLogger(LOGGER_NAME)
    reports.setLevel(logging.INFO)
    reports.propagate = False
    reports.handlers[:] = [PodLog(rewrite)]


def give_reason(reason: str, termination_log: Path = TERMINATION_LOG) -> None:
    """Ends the log with the reason of the failure, and writes it as Kubernetes' termination message."""
    line = f"error: {' '.join(reason.split())}"
    sys.stderr.flush()
    say(line)
    if not termination_log.exists():
        return
    try:
        termination_log.write_bytes(line.encode()[:_TERMINATION_BYTES])
    except OSError as error:
        logging.getLogger(__name__).warning("cannot write %s: %s", termination_log, error)
