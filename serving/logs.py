"""Log of the server: one line per event, `time LEVEL event key=value …`, on standard error."""

from __future__ import annotations

import json
import logging
import sys
import time

_logger = logging.getLogger("segpipe.serving")
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:[]")


class _Lines(logging.Formatter):
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")
        self.converter = time.gmtime


def start_log() -> None:
    """Sends the server's events to standard error, and suppresses TensorFlow's messages for developers."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    _logger.addHandler(handler)
    _logger.setLevel(logging.INFO)
    _logger.propagate = False
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


def event(name: str, **values: object) -> None:
    """Logs an event."""
    _logger.info(_line(name, values))


def warning(name: str, **values: object) -> None:
    """Logs a warning that a person should look into."""
    _logger.warning(_line(name, values))


def failure(name: str, error: BaseException) -> None:
    """Logs a bug with its traceback."""
    _logger.error(_line(name, {"error": type(error).__name__}), exc_info=error)


def _line(name: str, values: dict[str, object]) -> str:
    return " ".join([name, *(f"{key}={_value(value)}" for key, value in values.items())])


def _value(value: object) -> str:
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    return text if text and _PLAIN.issuperset(text) else json.dumps(text, ensure_ascii=False)
