"""Whatever dies at whatever instruction, the old version stays served and no half version is seen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
DRIVER = Path(__file__).with_name("crash_driver.py")
OPERATIONS = ("push", "rollback", "statistics", "fetch", "try-out", "decide")


def _disturb(kind: str, operation: str, folder: Path, every: int = 1) -> int:
    """Number of points at which the operation was disturbed without harm."""
    run = subprocess.run(
        [sys.executable, str(DRIVER), kind, operation, str(folder), str(every)],
        capture_output=True,
        text=True,
        timeout=600,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert run.returncode == 0, run.stderr
    result = json.loads(run.stdout)
    assert result["failures"] == []
    return result["points"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_process_may_be_killed_before_any_call_that_touches_the_disk(operation, tmp_path):
    assert _disturb("kill-at-call", operation, tmp_path) > 10


@pytest.mark.slow
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_process_may_be_killed_at_any_line(operation, tmp_path):
    assert _disturb("kill-at-line", operation, tmp_path) > 100


def test_a_process_may_be_killed_at_every_fifth_line(tmp_path):
    assert _disturb("kill-at-line", "rollback", tmp_path, every=5) > 20


@pytest.mark.parametrize("operation", OPERATIONS)
def test_any_call_that_touches_the_disk_may_fail(operation, tmp_path):
    assert _disturb("full-disk", operation, tmp_path) > 10


def test_a_process_may_be_killed_at_random_moments(tmp_path):
    assert _disturb("kill-at-random", "push", tmp_path) == 40
