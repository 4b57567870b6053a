"""Tables for people, and for docs/results.md."""

from __future__ import annotations

import statistics
from collections.abc import Sequence


def print_table(rows: Sequence[Sequence[str]], markdown: bool) -> None:
    """Prints `rows`, the first of which is the head."""
    if markdown:
        lines = [f"| {' | '.join(row)} |" for row in rows]
        lines.insert(1, "| " + " | ".join("---" for _ in rows[0]) + " |")
    else:
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    print("\n".join(line.rstrip() for line in lines))


def spread(values: Sequence[float]) -> str:
    """The median, and from where to where."""
    median = f"{statistics.median(values):.3f}"
    return median if len(values) == 1 else f"{median} ({min(values):.3f}–{max(values):.3f})"
