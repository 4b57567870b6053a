"""Reads a request log: rows of a period, or the newest ones, from the files that can hold them."""

from __future__ import annotations

import datetime
import io
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from common.errors import UserError
from serving.request_log.folder import REQUESTS, LogFolder
from serving.request_log.rows import SCHEMA, LoggedImage, from_table

_DAY = "date="
_NEEDED = tuple(name for name in SCHEMA.names if name not in ("error", "image", "signature"))


def rows_between(folder: LogFolder, begin: datetime.datetime, end: datetime.datetime) -> list[LoggedImage]:
    """Returns the rows with `begin` ≤ time < `end`, oldest first.

    Raises:
        UserError: a file is not one of a request log.
    """
    rows = [
        row
        for path in reversed(list(_files_newest_first(folder, begin)))
        for row in _read(folder, path)
        if row.time is not None and begin <= row.time < end
    ]
    return sorted(rows, key=_time)


def newest_rows(
    folder: LogFolder, images: int, version: int, since: datetime.datetime, until: datetime.datetime
) -> list[LoggedImage]:
    """Returns the newest `images` rows of a version with `since` ≤ time < `until`, oldest first.

    Files of several servers overlap in time, so files are read until the next one is older than what is needed.

    Raises:
        UserError: a file is not one of a request log.
    """
    rows: list[LoggedImage] = []
    for path in _files_newest_first(folder, since):
        if len(rows) >= images and _time_of(path) < _time(rows[-images]):
            break
        found = (row for row in _read(folder, path) if row.version == version)
        rows += [row for row in found if row.time and since <= row.time < until]
        rows.sort(key=_time)
    return rows[-images:]


def _files_newest_first(folder: LogFolder, since: datetime.datetime) -> Iterator[str]:
    """Yields the files whose last row is not older than `since`."""
    for day in sorted((name for name in folder.names(REQUESTS) if name.startswith(_DAY)), reverse=True):
        if day.removeprefix(_DAY) < since.date().isoformat():
            return
        names = [name for name in folder.names(f"{REQUESTS}/{day}") if name.endswith(".parquet") and name[0] != "."]
        for name in sorted(names, reverse=True):
            path = f"{REQUESTS}/{day}/{name}"
            if _time_of(path) >= since:
                yield path


def _time_of(path: str) -> datetime.datetime:
    """Returns the time of a file's last row, which its name has."""
    _, day, name = path.split("/")
    text = f"{day.removeprefix(_DAY)} {'-'.join(name.split('-')[:3])}"
    try:
        return datetime.datetime.strptime(text, "%Y-%m-%d %H-%M-%S.%f").replace(tzinfo=datetime.timezone.utc)
    except ValueError:
        raise UserError(f"{path} is not a file of a request log: remove it, or name another folder") from None


def _read(folder: LogFolder, path: str) -> list[LoggedImage]:
    try:
        data = folder.read(path)
    except FileNotFoundError:
        return []  # Removed meanwhile.
    try:
        file = pq.ParquetFile(io.BytesIO(data))
        columns = [name for name in _NEEDED if name in file.schema_arrow.names]
        return from_table(file.read(columns))
    except (pa.ArrowException, OSError, TypeError, ValueError) as error:  # Arrow has OSError for a damaged footer.
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{folder.uri}/{path} is damaged, or is not a file of a request log ({reason}): remove it"
        ) from error


def _time(row: LoggedImage) -> datetime.datetime:
    assert row.time is not None
    return row.time
