"""The peak of a process and its children."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from common.peak_memory import PeakMemory

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc")


def test_memory_that_is_freed_before_the_end_counts() -> None:
    with PeakMemory() as before:
        pass
    with PeakMemory() as memory:
        held = bytearray(b"x") * 150_000_000
        time.sleep(0.7)
        del held
    assert memory.megabytes is not None and before.megabytes is not None
    assert memory.megabytes > before.megabytes + 100


def test_memory_of_a_child_counts() -> None:
    child = "import time; held = bytearray(b'x') * 150_000_000; print(flush=True); time.sleep(20)"
    with PeakMemory() as alone:
        pass
    with subprocess.Popen([sys.executable, "-c", child], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with PeakMemory() as memory:
            pass
        process.kill()
    assert memory.megabytes is not None and alone.megabytes is not None
    assert memory.megabytes > alone.megabytes + 120
