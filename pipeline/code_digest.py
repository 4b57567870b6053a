"""What makes a cached step stale besides its inputs: its own code.

TFX's cache looks at inputs and parameters alone, so an edited loss would go on giving yesterday's model.  Each step
therefore carries a digest of the sources that it runs as a parameter.
"""

from __future__ import annotations

import functools
import hashlib
import os
from pathlib import Path

import components

_ROOT = Path(components.__file__).parent
_TRAINING = (
    "trainer",
    "transform",
    "evaluator/confusion.py",
    "hostile.py",
    "orientation.py",
    "compatibility.py",
    "plain_path.py",
)
_STEPS = {
    "example_gen": ("example_gen", "hostile.py", "machine_faults.py", "orientation.py"),
    "data_gate": ("data_gate", "example_gen/causes.py", "example_gen/label_lines.py", "example_gen/quarantine.py"),
    "transform": ("transform",),
    "trainer": _TRAINING,
    "tuner": ("tuner", *_TRAINING),
    "baseline": ("baseline",),
    "evaluator": ("evaluator", "baseline/fetching.py"),
    "serving_check": (
        "serving_check",
        "trainer/inference/full_size.py",
        "transform/picture.py",
        "evaluator/counts.py",
        "hostile.py",
        "../serving",
    ),
    "pusher": ("pusher",),
    "report": (
        "report",
        "palette.py",
        "data_gate/result.py",
        "evaluator/counts.py",
        "evaluator/results.py",
        "evaluator/thresholds.py",
        "evaluator/wording.py",
        "example_gen/quarantine.py",
        "pusher/pushing.py",
        "serving_check/result.py",
    ),
}


@functools.cache
def code_digest(step: str) -> str:
    """A short digest of the sources that a step runs: its own folder, what it borrows, and the record contract."""
    digest = hashlib.sha256()
    for place in (*_STEPS[step], "records.py"):
        for path in _sources(_ROOT / place):
            digest.update(os.path.relpath(path, _ROOT).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _sources(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    return sorted(path for path in place.rglob("*") if path.suffix in {".py", ".html", ".css", ".jinja"})
