"""Source of pairs from the annotations of several dates, as one listing."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import groupby
from typing import Any, NamedTuple

from components.example_gen.annotations.config import DrawnSource
from components.example_gen.annotations.drawn_pairs import DrawnPairs
from components.example_gen.dated_listing import moved_back, moved_listing
from components.example_gen.dates import DatedPath, is_dated, resolved, split_root
from components.example_gen.fingerprint import fingerprint_of_text
from components.example_gen.lazy_pair import LazyPair
from components.example_gen.pairing import Listing, Pair

Open = Callable[[DrawnSource], DrawnPairs]


class _Place(NamedTuple):
    """The data of one date."""

    label: str
    """The date, as the prefix of the pairs' names."""
    base: str
    """Path from the folder that holds all dates to this one's root."""
    pairs: DrawnPairs


class DatedPairs:
    """The pairs of the dates of `source`; each pair's name begins with its date."""

    def __init__(self, source: DrawnSource, open_date: Open) -> None:
        self._source = source
        self._open_date = open_date

    def __getstate__(self) -> dict[str, Any]:
        return {"_source": self._source, "_open_date": self._open_date}

    def listing(self) -> Listing:
        """See `PairSource.listing`."""
        listings = [moved_listing(place.pairs.listing(), place.label, place.base) for place in self._places.values()]
        return Listing(
            tuple(pair for listing in listings for pair in listing.pairs),
            tuple(entry for listing in listings for entry in listing.quarantined),
            sum(listing.ignored_files for listing in listings),
            fingerprint_of_text(*self._places, *(listing.fingerprint for listing in listings)),
            tuple(dict.fromkeys(note for listing in listings for note in listing.notes)),
        )

    def open(self, pairs: Sequence[Pair], max_bytes: int) -> Iterator[LazyPair]:
        """See `PairSource.open`."""
        for label, of_date in groupby(pairs, key=lambda pair: pair.id.partition("/")[0]):
            place = self._places[label]
            moved = list(of_date)
            own = [moved_back(pair, label, place.base) for pair in moved]
            for pair, opened in zip(moved, place.pairs.open(own, max_bytes), strict=True):
                yield opened._replace(pair=pair)

    def count_bytes(self, pairs: Sequence[Pair]) -> int:
        """See `PairSource.count_bytes`."""
        return sum(pair.image_bytes + pair.mask_bytes for pair in pairs)

    @cached_property
    def _places(self) -> dict[str, _Place]:
        source = self._source
        above, tail = split_root(source.root)
        dated = next(path for path in (posixpath.join(tail, path) for path in source.listed_paths) if is_dated(path))
        places = {}
        for date in resolved(source.dates):
            base = _at(tail, date)
            settings = {key: _at(value, date) for key, value in source.model_dump(exclude={"dates", "window"}).items()}
            settings["root"] = posixpath.join(above, base)
            label = DatedPath(dated).label(date)
            places[label] = _Place(label, base, self._open_date(type(source).model_validate(settings)))
        return places


def is_of_dates(source: DrawnSource) -> bool:
    """Returns whether the source has `{date}` in its paths."""
    tail = split_root(source.root)[1]
    return any(is_dated(posixpath.join(tail, path)) for path in source.listed_paths)


def _at(value: Any, date: Any) -> Any:
    """Returns a setting with the paths of one date."""
    if isinstance(value, str):
        return DatedPath(value).at(date) if is_dated(value) else value
    if isinstance(value, dict):
        return {_at(key, date): _at(item, date) for key, item in value.items()}
    return tuple(_at(item, date) for item in value) if isinstance(value, (tuple, list)) else value
