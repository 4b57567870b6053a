"""Whether a run holds a workspace's lock, found out without taking the lock."""

from __future__ import annotations

import os
from pathlib import Path

_LOCKS = Path("/proc/locks")


def is_locked(file: Path) -> bool:
    """Returns whether a process of this machine holds `file` by `flock`.

    Trying the lock would make a run fail that starts at the same moment.
    """
    try:
        status = file.stat()
        table = _LOCKS.read_text("utf-8")
    except OSError:
        return False
    place = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    return any(place in fields and "FLOCK" in fields for fields in map(str.split, table.splitlines()))
