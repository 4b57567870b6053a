"""Rows of another server's log, with an account of what it does not say."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

from common.plurals import counted
from serving.request_log.rows import LoggedImage

_EXPECTED = ("time", "version", "height", "class_fractions", "mean_confidence", "brightness", "digest")


@dataclasses.dataclass
class OtherRows:
    """Rows, and how often a value is unknown."""

    rows: list[LoggedImage] = dataclasses.field(default_factory=list)
    ignored: Counter[str] = dataclasses.field(default_factory=Counter)
    """Why records have no row → how many."""

    def add(self, rows: Sequence[LoggedImage]) -> None:
        """Adds the rows of a request."""
        self.rows += rows

    def unknown(self) -> dict[str, int]:
        """Returns column → number of rows that do not have it, for the columns that a monitor needs."""
        counts = {name: sum(getattr(row, name) is None for row in self.rows) for name in _EXPECTED}
        return {name: count for name, count in counts.items() if count}

    def notes(self) -> tuple[str, ...]:
        """Returns what is unknown and what is ignored, one sentence each."""
        rows = counted(len(self.rows), "row")
        unknown = [f"{name} is unknown in {count} of {rows}" for name, count in self.unknown().items()]
        records = {reason: counted(count, "record is", "records are") for reason, count in self.ignored.items()}
        return (*unknown, *(f"{are} ignored: {reason}" for reason, are in records.items()))
