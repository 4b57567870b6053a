"""Pairs that the ingestion of a run has quarantined, and where their files are."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from pydantic import ValidationError

from components import component_keys as keys
from components.example_gen.quarantine import QUARANTINE_FILE, Quarantined
from pipeline.dashboard.runs import Run

MOST_READ = 5000
"""Entries of a quarantine that are listed; its counts are those of all."""

Part = Literal["image", "mask"]


@dataclass(frozen=True)
class Entry:
    """A quarantined pair; `number` is its line in the file."""

    number: int
    pair: Quarantined


@dataclass(frozen=True)
class Quarantine:
    """The quarantine of a run."""

    entries: tuple[Entry, ...]
    unreadable: int
    """Lines that are damaged."""
    is_cut: bool
    """Whether the file has more entries than are listed."""

    def reasons(self) -> dict[str, int]:
        """Reason → its listed entries, the most frequent first."""
        return dict(Counter(entry.pair.reason.value for entry in self.entries).most_common())


def read_quarantine(run: Run) -> Quarantine:
    """Returns the quarantined pairs of a run; none if it has not ingested anything."""
    folder = run.quarantine_folder
    if folder is None:
        return Quarantine((), 0, False)
    entries, unreadable, is_cut = [], 0, False
    for number, line in enumerate(_lines(folder / QUARANTINE_FILE)):
        if number == MOST_READ:
            is_cut = True
            break
        try:
            entries.append(Entry(number, Quarantined.model_validate_json(line)))
        except ValidationError:
            unreadable += 1
    return Quarantine(tuple(entries), unreadable, is_cut)


def file_of(run: Run, number: int, part: Part) -> Path | None:
    """Returns the image or mask of an entry, below the root of the run's data.

    Only files that the quarantine names are reachable, and links lead out of the root only if the data's configuration
    allows it; `None` if there is no such file.
    """
    pair = _pair(run, number)
    relative = (pair.image if part == "image" else pair.mask) if pair else None
    source = _source(run)
    root = source.get("root")
    if not relative or not isinstance(root, str) or "://" in root:
        return None
    if PurePosixPath(relative).is_absolute() or ".." in PurePosixPath(relative).parts:
        return None
    return _below(Path(root), relative, source.get("follow_links") is True)


def _pair(run: Run, number: int) -> Quarantined | None:
    """Reads one entry alone: a page of pictures asks for each of them."""
    folder = run.quarantine_folder
    line = next(itertools.islice(_lines(folder / QUARANTINE_FILE), number, None), None) if folder else None
    try:
        return Quarantined.model_validate_json(line) if line else None
    except ValidationError:
        return None


def _below(root: Path, relative: str, follow_links: bool) -> Path | None:
    try:
        top, path = root.resolve(strict=True), (root / relative).resolve(strict=True)
    except (OSError, ValueError):
        return None
    return path if path.is_file() and (follow_links or path.is_relative_to(top)) else None


def _source(run: Run) -> dict[str, Any]:
    try:
        found = json.loads(run.recorded(keys.DATA_CONFIG) or "{}").get("source", {})
    except (ValueError, AttributeError):
        return {}
    return found if isinstance(found, dict) else {}


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            yield from (line for line in file if line.strip())
    except OSError:
        return
