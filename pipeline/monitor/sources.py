"""Sources of rows: segpipe's own request log, and the logs of TensorFlow Serving and KServe."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from common.errors import UserError
from common.plurals import counted
from pipeline.monitor.settings import LogFormat
from serving.request_log import reading
from serving.request_log.folder import IMAGES, REQUESTS, LogFolder
from serving.request_log.rows import LoggedImage


class Source(Protocol):
    """Rows of requests."""

    def between(self, begin: datetime.datetime, end: datetime.datetime) -> list[LoggedImage]:
        """Returns the rows with `begin` ≤ time < `end`, oldest first."""

    @property
    def has_times(self) -> bool:
        """Whether every row has a time."""

    def newest(
        self, images: int, version: int, since: datetime.datetime, until: datetime.datetime
    ) -> list[LoggedImage]:
        """Returns the newest rows of a version with `since` ≤ time < `until`, oldest first; without times, the last."""

    def notes(self) -> tuple[str, ...]:
        """Returns what could not be known, one sentence each."""


class OwnLog:
    """Request log of the embedded server."""

    def __init__(self, folder: LogFolder) -> None:
        self._folder = folder

    def between(self, begin: datetime.datetime, end: datetime.datetime) -> list[LoggedImage]:
        return reading.rows_between(self._folder, begin, end)

    @property
    def has_times(self) -> bool:
        return True

    def newest(
        self, images: int, version: int, since: datetime.datetime, until: datetime.datetime
    ) -> list[LoggedImage]:
        return reading.newest_rows(self._folder, images, version, since, until)

    def notes(self) -> tuple[str, ...]:
        return ()


class OtherLog:
    """Log of another server, read as a whole."""

    def __init__(self, uri: str, rows: Sequence[LoggedImage], served: int | None, notes: Sequence[str]) -> None:
        """Rows without a version are taken as answered by `served`."""
        self._uri = uri
        unknown = sum(row.version is None for row in rows)
        self._notes = list(notes)
        if unknown and served is not None:
            rows_do = counted(unknown, "row does", "rows do")
            self._notes.append(f"{rows_do} not name a version: version {served}, which is served, is assumed")
        self._rows = [(served if row.version is None else row.version, row) for row in rows]

    @property
    def has_times(self) -> bool:
        return all(row.time is not None for _, row in self._rows)

    def between(self, begin: datetime.datetime, end: datetime.datetime) -> list[LoggedImage]:
        if not self.has_times:
            raise UserError(
                f"the log {self._uri} has rows without a time: give --window a number of images, such as 500"
            )
        found = [_with_version(row, version) for version, row in self._rows if row.time and begin <= row.time < end]
        return sorted(found, key=lambda row: str(row.time))

    def newest(
        self, images: int, version: int, since: datetime.datetime, until: datetime.datetime
    ) -> list[LoggedImage]:
        if self.has_times:
            return [row for row in self.between(since, until) if row.version == version][-images:]
        return [_with_version(row, version) for own, row in self._rows if own == version][-images:]

    def notes(self) -> tuple[str, ...]:
        return tuple(self._notes)


def open_source(uri: str, kind: LogFormat, served: int | None) -> Source:
    """Opens a log.

    Raises:
        UserError: it does not exist, or is not of that format.
    """
    folder = LogFolder(uri)
    names = folder.names()
    if not names:
        raise _nothing_at(uri, kind)
    if kind == "segpipe":
        _check_own(folder, names)
        return OwnLog(folder)
    if kind == "kserve":
        from serving.request_log.kserve import read_log
    else:
        from serving.request_log.tensorflow_serving import read_log
    found = read_log(folder)
    return OtherLog(uri, found.rows, served, found.notes())


def _nothing_at(uri: str, kind: LogFormat) -> UserError:
    if "://" not in uri and Path(uri).is_file():
        return UserError(f"{uri} is a file: name the folder that it is in with --log")
    told = f"there is no request log at {uri}: check --log"
    return UserError(f"{told}, or start `segpipe serve --log {uri}`" if kind == "segpipe" else told)


def _check_own(folder: LogFolder, names: Sequence[str]) -> None:
    """Checks that a folder with other content is not taken for a log without requests."""
    if not {REQUESTS, IMAGES}.isdisjoint(names):
        return
    inner = next((name for name in names if REQUESTS in LogFolder(f"{folder.uri}/{name}").names()), None)
    advice = f"did you mean {folder.uri}/{inner}?" if inner else "name the folder that `segpipe serve --log` writes"
    raise UserError(f"{folder.uri} is not a request log, as it has no folder {REQUESTS!r}: {advice}")


def _with_version(row: LoggedImage, version: int | None) -> LoggedImage:
    return dataclasses.replace(row, version=version)
