"""Cuts a request log into windows: of a time, which begin at multiples of it, or of a number of images."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Iterable, Sequence

from pipeline.monitor.judging import Window
from pipeline.monitor.settings import WindowSize
from pipeline.monitor.sources import Source
from serving.request_log.rows import LoggedImage

LONGEST_AGE = datetime.timedelta(days=30)
"""Rows that are older are not read for windows of a number of images."""
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def newest_windows(
    source: Source, size: WindowSize, count: int, versions: Iterable[int], until: datetime.datetime
) -> list[Window]:
    """Returns the newest complete windows of each version, oldest first.

    Args:
        source: The log.
        size: Size of a window.
        count: Number of windows; of a number of images, each version may have fewer.
        versions: Versions to look for, if windows are of a number of images; else all that answered are found.
        until: End of what can be complete.
    """
    if size.seconds is not None:
        end = floor(until, size.seconds)
        return time_windows(source, size.seconds, end - count * datetime.timedelta(seconds=size.seconds), end)
    images = size.images or 1
    windows: list[Window] = []
    for version in versions:
        rows = source.newest(images * count, version, until - LONGEST_AGE)
        rows = rows[len(rows) % images :]  # Complete windows, counted from the newest row.
        windows += [_of_rows(version, rows[start : start + images], until) for start in range(0, len(rows), images)]
    return windows


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
