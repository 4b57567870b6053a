"""Selects the dates of the data that a run reads, once when it starts."""

from __future__ import annotations

import datetime
import posixpath
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from common.errors import UserError
from components.example_gen.annotations.config import DrawnSource
from components.example_gen.config import DataConfig, FoldersSource, ManifestSource
from components.example_gen.dates import DatedPath, is_dated, split_root
from components.example_gen.files import Folder, names, open_folder, top_level

_DATED = (FoldersSource, ManifestSource, DrawnSource)


def resolve_dates(data: DataConfig, date: datetime.date) -> DataConfig:
    """Returns `data` with the dates that a run on `date` reads: the newest `window` dates up to then that have a file.

    Fewer are taken if there are no more yet.  Data without `{date}`, or with given dates, is returned as it is.

    Raises:
        UserError: there is no such date; the message says what was looked for and what exists.
    """
    source = data.source
    if not depends_on_date(data):
        return data
    assert isinstance(source, _DATED)
    above, tail = split_root(source.root)
    paths = [posixpath.join(tail, path) for path in _listed(source)]
    folder = open_folder(above, source.follow_links)
    places = _places(folder, [DatedPath(path) for path in paths])
    dates: list[datetime.date] = []
    for found in sorted((found for found in places if found <= date), reverse=True):
        if len(dates) < source.window and any(_holds_file(folder, place) for place in places[found]):
            dates.append(found)
    if not dates:
        raise UserError(
            f"there is no data up to {date}: looked in {folder.root} for {', '.join(paths)}, "
            f"and there is {_instead(folder, places)}"
        )
    return data.model_copy(update={"source": source.model_copy(update={"dates": tuple(sorted(dates))})})


def depends_on_date(data: DataConfig) -> bool:
    """Returns whether the date of the run decides which data is read: paths with `{date}`, and no given dates."""
    source = data.source
    if not isinstance(source, _DATED) or source.dates is not None:
        return False
    return any(is_dated(posixpath.join(split_root(source.root)[1], path)) for path in _listed(source))


def _listed(source: FoldersSource | ManifestSource | DrawnSource) -> Iterable[str]:
    """Returns the paths by which dates are found; a date without masks has images without a partner."""
    if isinstance(source, DrawnSource):
        return source.listed_paths
    return (source.file,) if isinstance(source, ManifestSource) else source.images


class _Place(NamedTuple):
    """Returns the files or folders with a date in their names."""

    path: str
    is_file: bool


def _places(folder: Folder, paths: Iterable[DatedPath]) -> dict[datetime.date, set[_Place]]:
    """Returns the folders, or files, of each date, empty or not."""
    places: defaultdict[datetime.date, set[_Place]] = defaultdict(set)
    for path in paths:
        for place in folder.list_levels(path.prefix, path.names):
            if date := path.date_of(place):
                places[date].add(_Place(place, path.ends_in_file))
    return places


def _holds_file(folder: Folder, place: _Place) -> bool:
    return place.is_file or next(iter(folder.walk(place.path)), None) is not None


def _instead(folder: Folder, places: Iterable[datetime.date]) -> str:
    if later := [date.isoformat() for date in places]:
        return f"data of {names(later)} only, which is later or empty"
    return names(top_level(folder))
