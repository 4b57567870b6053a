"""Ingestion of data sets in a process of its own, with what it cost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from components.example_gen.config import DataConfig, FoldersSource, Limits
from tests.support.data_set import CLASSES

MAX_PIXELS = 1_000_000
_SCRIPT = """
import json, sys, time
from components.example_gen.check import survey
from components.example_gen.config import DataConfig

def peak():  # getrusage would also count the process that started this one.
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))

for text in sys.argv[1:]:
    times = []
    summary, quarantined = survey(DataConfig.model_validate_json(text), 1, lambda *_: times.append(time.monotonic()))
    reasons = {entry.id: entry.detail for entry in quarantined}
    slowest = max(later - earlier for earlier, later in zip(times, times[1:]))
    print(json.dumps([sum(summary.used.values()), reasons, slowest, peak()]))
"""


class Surveyed(NamedTuple):
    """What became of all pairs, and what it cost."""

    used: int
    reasons: dict[str, str]
    """Name → why it is quarantined."""
    slowest_seconds: float
    """The longest wait for the next pair."""
    peak: int
    """Bytes that the process held at most since it began."""


def survey_apart(*roots: Path, seconds: float) -> Sequence[Surveyed]:
    """Surveys one data set after the other in one new process; if that crashes or hangs, it is an error here."""
    limits = Limits(max_pixels=MAX_PIXELS)
    configs = [DataConfig(source=FoldersSource(root=str(root)), classes=CLASSES, limits=limits) for root in roots]
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, *(config.model_dump_json() for config in configs)],
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        stdout=subprocess.PIPE,
        check=True,
        timeout=seconds,
    )
    return [Surveyed(*json.loads(line)) for line in done.stdout.splitlines()]
