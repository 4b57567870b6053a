"""Cuts a request log into windows: of a time, which begin at multiples of it, or of a number of images."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Iterable, Sequence

from pipeline.monitor.judging import Window
from pipeline.monitor.sources import Source
from serving.request_log.rows import LoggedImage

LONGEST_AGE = datetime.timedelta(days=30)
"""Rows that are older are not read for windows of a number of images."""
_TICK = datetime.timedelta(microseconds=1)
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


class CountedWindows:
    """Windows of a number of images of a version, which do not overlap: the next one begins where the last one ends.

    If each look took the newest images, near-equal windows would be tested again and again, and one of them would be a
    false alarm sooner or later.  Images with the very time of a window's last one are not part of the next window.
    """

    def __init__(self, images: int, count: int) -> None:
        """Keeps `count` windows of each version."""
        self._images = images
        self._count = count
        self._windows: dict[int, list[Window]] = {}

    def look(self, source: Source, versions: Iterable[int], until: datetime.datetime) -> list[Window]:
        """Returns the newest complete windows of each version, oldest first; a version may have fewer, or none."""
        found: list[Window] = []
        for version in versions:
            known = self._windows.get(version, []) if source.has_times else []
            rows = self._new_rows(source, version, known, until)
            starts = range(0, len(rows), self._images)
            new = [_of_rows(version, rows[start : start + self._images], until) for start in starts]
            self._windows[version] = [*known, *new][-self._count :]
            found += self._windows[version]
        return found

    def _new_rows(
        self, source: Source, version: int, known: Sequence[Window], until: datetime.datetime
    ) -> list[LoggedImage]:
        """Returns the rows of complete windows after the known ones; without these, the newest."""
        if known:
            rows = [row for row in source.between(known[-1].end + _TICK, until) if row.version == version]
            return rows[: len(rows) // self._images * self._images]
        rows = source.newest(self._images * self._count, version, until - LONGEST_AGE, until)
        return rows[len(rows) % self._images :]


def newest_time_windows(source: Source, seconds: int, count: int, until: datetime.datetime) -> list[Window]:
    """Returns the newest `count` complete windows of a time, oldest first."""
    end = floor(until, seconds)
    return time_windows(source, seconds, end - count * datetime.timedelta(seconds=seconds), end)


def time_windows(source: Source, seconds: int, begin: datetime.datetime, end: datetime.datetime) -> list[Window]:
    """Returns the windows between two multiples of `seconds`, oldest first; one for each version that answered."""
    length = datetime.timedelta(seconds=seconds)
    by_window: defaultdict[tuple[datetime.datetime, int], list[LoggedImage]] = defaultdict(list)
    for row in source.between(begin, end):
        if row.time is not None and row.version is not None:
            by_window[floor(row.time, seconds), row.version].append(row)
    return [Window(version, start, start + length, rows) for (start, version), rows in sorted(by_window.items())]


def floor(time: datetime.datetime, seconds: int) -> datetime.datetime:
    """Returns the last multiple of `seconds` since 1970 that is not after `time`."""
    length = datetime.timedelta(seconds=seconds)
    return _EPOCH + (time - _EPOCH) // length * length


def _of_rows(version: int, rows: Sequence[LoggedImage], otherwise: datetime.datetime) -> Window:
    return Window(version, rows[0].time or otherwise, rows[-1].time or otherwise, rows)
