"""How a step tells a person what it is doing, wherever it runs.

Components report through one logger and know nothing of consoles: on a laptop the runner draws what arrives there,
in a pod it is a line of the pod's log.
"""

from __future__ import annotations

import logging

LOGGER_NAME = "segpipe.progress"
_logger = logging.getLogger(LOGGER_NAME)


def report(message: str) -> None:
    """Says `message`, a finished sentence or figure that is worth keeping on the screen."""
    _logger.info(message)


def update(message: str) -> None:
    """Says `message`, a passing state that the next one may overwrite (a counter, a step of an epoch)."""
    _logger.info(message, extra={"transient": True})
