"""The most memory that a process held."""

from __future__ import annotations

from pathlib import Path

import pytest


def peak_memory(process: int | str = "self") -> int:
    """The most bytes that a process held since `forget_peak`, or holds now."""
    [line] = [line for line in Path(f"/proc/{process}/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def forget_peak(process: int | str = "self") -> None:
    """Starts `peak_memory` anew."""
    try:
        Path(f"/proc/{process}/clear_refs").write_text("5")
    except OSError:
        pytest.skip("this system does not let a process reset its peak of memory")
