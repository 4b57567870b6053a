"""What a person sees, and what goes to the log instead."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from components.evaluator.results import Estimate
from pipeline.cli.console import make_console
from pipeline.cli.summary import _figure, _table

NOISY = """
import logging, os, sys, warnings
from pathlib import Path
from pipeline.cli.console import StepWatcher, quiet_streams
from common import progress

with quiet_streams(Path(sys.argv[1])) as console:
    os.write(1, b"noise from C++ on 1\\n")
    os.write(2, b"noise from C++ on 2\\n")
    print("noise from Python")
    logging.getLogger("absl").warning("noise from absl")
    warnings.warn("noise from a library")
    watcher = StepWatcher(console, lambda node: {"Trainer": "Train"}.get(node, node))
    with watcher.watching(), watcher.step("Trainer", lambda node: False):
        progress.report("epoch 1/2: loss [0.5]")
    with watcher.watching(), watcher.step("Other", lambda node: True):
        pass
print("afterwards")
"""


def test_a_person_sees_steps_and_the_log_gets_the_noise(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "run.log"
    done = subprocess.run([sys.executable, "-c", NOISY, str(log)], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    assert lines == ["  epoch 1/2: loss [0.5]", "✓ Train · 0.0 s", "✓ Other · cached", "afterwards"]
    text = log.read_text()
    for noise in ("C++ on 1", "C++ on 2", "from Python", "from absl", "from a library", "epoch 1/2"):
        assert noise in text


FULL = """
import os, resource, sys
from pathlib import Path
from pipeline.cli.console import quiet_streams

resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
with quiet_streams(Path(sys.argv[1])) as console:
    print("noise " * 100)
print("afterwards")
"""


def test_a_log_that_cannot_be_written_is_dropped_and_does_not_come_on_the_screen(tmp_path: Path) -> None:
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "log")], capture_output=True, text=True, env=buffered, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "afterwards\n", "")


def test_a_narrow_terminal_wraps_a_table_that_needs_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # Rich takes the file for a terminal then.
    monkeypatch.setenv("COLUMNS", "40")
    assert make_console(io.StringIO()).width == 40
    assert make_console(io.StringIO(), least_width=80).width == 80


def test_a_narrow_summary_cuts_off_no_figure() -> None:
    table = _table("class (test: 31 images)", "IoU", "Dice")
    table.add_row("background", _figure(Estimate(value=0.984, low=0.978, high=0.990)), "–")
    console = Console(width=34)
    with console.capture() as capture:
        console.print(table)
    text = capture.get()
    assert "…" not in text
    assert "0.990" in text
