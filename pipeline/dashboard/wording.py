"""Times, sizes and places as the dashboard writes them."""

from __future__ import annotations

import datetime
from pathlib import Path

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def moment(when: datetime.datetime) -> str:
    """Returns a time in this machine's zone: `2026-11-27 16:34`."""
    return f"{when.astimezone():%Y-%m-%d %H:%M}"


def ago(when: datetime.datetime, now: datetime.datetime) -> str:
    """Returns how long ago a time was: `3 min ago`."""
    seconds = max(0.0, (now - when).total_seconds())
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{int(seconds / size)} {unit} ago"
    return "just now"


def size(count: int | None) -> str:
    """Returns bytes as `12.3 MB`."""
    if count is None:
        return "–"
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB"


def place(path: str | Path) -> str:
    """Returns a path as short as it can be written in the current folder; URIs stay."""
    if "://" in str(path):
        return str(path)
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else str(path)
