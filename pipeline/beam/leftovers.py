"""Temporary folders that Beam's file sinks leave in a step's outputs when an engine repeats a part of a job."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from tfx.dsl.io import fileio

PREFIX = "beam-temp-"
"""Of the folder that a sink makes at its start and removes at its end (`FileBasedSink._create_temp_dir`).

A sink whose start is repeated makes another one, and nobody removes the first; whoever lists the output would take it
for a file of it.
"""

_logger = logging.getLogger(__name__)


def remove_leftovers(outputs: Iterable[str]) -> None:
    """Removes such folders below the outputs of a step that has ended."""
    for output in outputs:
        if not fileio.isdir(output):
            continue
        for folder, below, _ in list(fileio.walk(output)):
            for name in below:
                if name.startswith(PREFIX):
                    _logger.info("%s/%s was left by a repeated part of the job, and is removed", folder, name)
                    fileio.rmtree(f"{folder}/{name.rstrip('/')}")
