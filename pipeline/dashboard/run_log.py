"""A run's log: which file it is, its last lines, and the progress in them."""

from __future__ import annotations

import datetime
import re
from pathlib import Path
from typing import NamedTuple

from common.plain_path import without_aliases
from common.progress import LOGGER_NAME
from pipeline.dashboard.workspaces import LOGS, Workspace

_NAME = re.compile(r"run-(\d{8}-\d{6})\.log")
_PROGRESS = re.compile(rf"^(\S+ \S+?),\d+ \w+ {re.escape(LOGGER_NAME)}\S*: (.*)$")
_TAIL_BYTES = 64_000


class ProgressLine(NamedTuple):
    """What a step has reported."""

    moment: str
    text: str


class LogTail(NamedTuple):
    """The end of a log."""

    name: str
    size: int
    lines: tuple[str, ...]
    progress: tuple[ProgressLine, ...]


def find_log(workspace: Workspace, named: str | None, began: datetime.datetime) -> Path | None:
    """Returns a run's log: the one that its journal names, or else the newest one from before the run began."""
    folder = workspace.folder / LOGS
    if named is not None:
        return workspace.inside(folder / Path(named).name)
    latest = f"{began.astimezone():%Y%m%d-%H%M%S}"
    try:
        names = [(found[1], path) for path in folder.iterdir() if (found := _NAME.fullmatch(path.name))]
    except OSError:
        return None
    before = [(stamp, path) for stamp, path in names if stamp <= latest]
    return workspace.inside(max(before)[1]) if before else None


def read_tail(log: Path, lines: int = 40, progress: int = 12) -> LogTail | None:
    """Returns the last lines of a log, and the last lines of progress near its end."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL_BYTES))
            text = file.read(_TAIL_BYTES).decode("utf-8", "replace")
    except OSError:
        return None
    found = [line for line in without_aliases(text).splitlines() if line.strip()]
    if size > _TAIL_BYTES:
        found = found[1:]  # The first one is cut.
    told = [ProgressLine(*match.groups()) for line in found if (match := _PROGRESS.match(line))]
    return LogTail(log.name, size, tuple(found[-lines:]), tuple(told[-progress:]))
