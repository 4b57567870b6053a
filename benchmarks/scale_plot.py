"""Plots what `benchmarks.scale` printed: seconds and memory of each step against the number of pairs.

    python -m benchmarks.scale FOLDER --pairs 1000 10000 100000 > table.txt
    python -m benchmarks.scale_plot table.txt scale.svg

Needs matplotlib, which is in neither set of packages.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

_TITLES = {
    "listing": "listing alone",
    "ImageMaskExampleGen": "ingestion",
    "StatisticsGen": "statistics",
    "Transform": "Transform",
}
_SECONDS, _PEAK = 2, 5


def main() -> None:
    """Writes the plot, in the format that the suffix names."""
    from matplotlib import pyplot

    table, target = sys.argv[1:]
    rows = measured(Path(table).read_text())
    figure, (seconds, memory) = pyplot.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for step, points in rows.items():
        pairs = [point[0] for point in points]
        seconds.loglog(pairs, [point[1] for point in points], marker="o", label=_TITLES[step])
        memory.semilogx(pairs, [point[2] for point in points], marker="o", label=_TITLES[step])
    most = max(point[0] for point in rows["ImageMaskExampleGen"])
    last = rows["ImageMaskExampleGen"][-1][1]
    seconds.loglog([most / 100, most], [last / 100, last], "k:", linewidth=1, label="in proportion")
    seconds.set(xlabel="pairs", ylabel="seconds")
    memory.set(xlabel="pairs", ylabel="MB at the peak", ylim=(0, None))
    seconds.legend(fontsize="small")
    figure.savefig(target)


def measured(table: str) -> dict[str, list[tuple[int, float, float]]]:
    """Reads the first table: step → (pairs, seconds, peak MB)."""
    rows = defaultdict(list)
    for cells in map(str.split, table.splitlines()):
        if len(cells) == 7 and cells[1] in _TITLES:
            rows[cells[1]].append((int(cells[0]), float(cells[_SECONDS]), float(cells[_PEAK])))
    return dict(rows)


if __name__ == "__main__":
    main()
