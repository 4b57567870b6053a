"""The manifests of several dates, as one listing."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from components.example_gen.config import ManifestSource
from components.example_gen.dated_listing import moved_listing
from components.example_gen.dates import DatedPath, is_dated, resolved, split_root
from components.example_gen.files import FileInfo, open_folder
from components.example_gen.fingerprint import fingerprint_of
from components.example_gen.manifest import NO_VALUE, pair_rows, read_table
from components.example_gen.pairing import Listing


class _Place(NamedTuple):
    """One of several manifests, for one date."""

    source: ManifestSource
    """The source of this date only."""
    label: str
    """The date, as the prefix of the pairs' names."""
    base: str
    """Path from the folder that holds all dates to this one's root."""


def list_manifests(source: ManifestSource) -> Listing:
    """Returns the pairs of the manifest of `source`, or of those of its dates.

    Where there are dates, each pair's name begins with its date, and a column that only some of the manifests have is
    `unknown` for the rows of the others.

    Raises `UserError` where a manifest is missing or cannot be parsed, or lacks a column that `source` names.
    """
    _, tail = split_root(source.root)
    path = posixpath.join(tail, source.file)
    if not is_dated(path):
        folder = open_folder(source.root, source.follow_links)
        table, data = read_table(folder, source)
        listing, files = pair_rows(folder, source, table)
        return replace(listing, fingerprint=fingerprint_of(files, data))
    return _merged([_list_place(place) for place in _places(source, DatedPath(path))])


def _places(source: ManifestSource, path: DatedPath) -> list[_Place]:
    above, tail = split_root(source.root)
    places = []
    for date in resolved(source.dates):
        base = DatedPath(tail).at(date) if is_dated(tail) else tail
        file = DatedPath(source.file).at(date) if is_dated(source.file) else source.file
        here = source.model_copy(update={"root": posixpath.join(above, base), "file": file, "dates": None})
        places.append(_Place(here, path.label(date), base))
    return places


class _Listed(NamedTuple):
    """Returns the pairs of one of several manifests; paths are relative to the folder that holds all dates."""

    listing: Listing
    files: list[FileInfo]
    data: bytes


def _list_place(place: _Place) -> _Listed:
    folder = open_folder(place.source.root, place.source.follow_links)
    table, data = read_table(folder, place.source)
    listing, files = pair_rows(folder, place.source, table)
    moved = moved_listing(listing, place.label, place.base)
    told = f"{place.source.file} of {place.label}"
    quarantined = [entry.model_copy(update={"detail": f"{told}: {entry.detail}"}) for entry in moved.quarantined]
    files = [replace(info, path=posixpath.join(place.base, info.path)) for info in files]
    return _Listed(replace(moved, quarantined=tuple(quarantined)), files, f"{place.label}\0".encode() + data)


def _merged(listed: Sequence[_Listed]) -> Listing:
    columns = {column for one in listed for pair in one.listing.pairs for column in pair.slices}
    unknown = dict.fromkeys(sorted(columns), NO_VALUE)
    return Listing(
        tuple(replace(pair, slices=unknown | pair.slices) for one in listed for pair in one.listing.pairs),
        tuple(entry for one in listed for entry in one.listing.quarantined),
        notes=tuple(dict.fromkeys(note for one in listed for note in one.listing.notes)),
        fingerprint=fingerprint_of(
            (info for one in listed for info in one.files), b"\0".join(one.data for one in listed)
        ),
    )
