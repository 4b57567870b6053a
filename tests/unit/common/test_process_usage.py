"""The memory and the CPU time of real processes."""

from __future__ import annotations

import os
import subprocess
import sys

from common.process_usage import PEAK, PROPORTIONAL, RESIDENT, cpu_seconds, megabytes

HELD = "import sys; held = bytearray(100_000_000); print(); sys.stdin.read()"


def test_the_peak_is_no_less_than_what_is_held() -> None:
    assert 1 < megabytes(os.getpid(), RESIDENT) <= megabytes(os.getpid(), PEAK)


def test_children_of_children_count() -> None:
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HELD!r}])"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", nested], **pipes) as process:  # type: ignore[call-overload]
        process.stdout.readline()
        assert megabytes(process.pid, RESIDENT) > 95
        process.stdin.close()


def test_a_process_that_has_ended_holds_nothing() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert megabytes(process.pid, PEAK) == 0


def test_proportional_memory_counts_a_shared_page_in_part() -> None:
    resident = megabytes(os.getpid(), RESIDENT)
    assert 0 < megabytes(os.getpid(), PROPORTIONAL) <= 1.05 * resident, "read one after the other"


def test_the_time_of_a_child_counts_while_it_runs_and_after_it_has_ended() -> None:
    busy = "import time\nwhile time.process_time() < 0.5: pass\nprint(flush=True)\ninput()"
    before = cpu_seconds(os.getpid())
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", busy], text=True, **pipes) as process:  # type: ignore[call-overload]
        process.stdout.readline()
        assert cpu_seconds(os.getpid()) - before >= 0.45
        process.communicate("\n")
    assert cpu_seconds(os.getpid()) - before >= 0.45


def test_a_process_that_does_not_exist_has_had_no_time() -> None:
    assert cpu_seconds(2**22 + 1) == 0
