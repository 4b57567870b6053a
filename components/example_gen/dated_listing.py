"""The listing of one date, with names and paths as in a listing of several dates."""

from __future__ import annotations

import posixpath
from dataclasses import replace

from components.example_gen.pairing import Listing, MaskPart, Pair
from components.example_gen.quarantine import Quarantined


def moved_listing(listing: Listing, label: str, base: str) -> Listing:
    """Returns the listing with the date in front of the names, and paths relative to the folder of all dates.

    Args:
        listing: Of one date.
        label: The date.
        base: Path from the folder that holds all dates to the root of this one.
    """
    return replace(
        listing,
        pairs=tuple(_moved(pair, label, base) for pair in listing.pairs),
        quarantined=tuple(_moved_entry(entry, label, base) for entry in listing.quarantined),
    )


def moved_back(pair: Pair, label: str, base: str) -> Pair:
    """Returns a pair of `moved_listing` as it was before."""

    def path(moved: str) -> str:
        return moved.removeprefix(f"{base}/") if base else moved

    parts = tuple(MaskPart(part.label, path(part.path), part.size) for part in pair.parts)
    name = pair.id.removeprefix(f"{label}/")
    return replace(pair, id=name, image=path(pair.image), mask=path(pair.mask), parts=parts)


def _moved(pair: Pair, label: str, base: str) -> Pair:
    def path(below: str) -> str:
        return posixpath.join(base, below)

    parts = tuple(MaskPart(part.label, path(part.path), part.size) for part in pair.parts)
    return replace(pair, id=f"{label}/{pair.id}", image=path(pair.image), mask=path(pair.mask), parts=parts)


def _moved_entry(entry: Quarantined, label: str, base: str) -> Quarantined:
    paths = {key: path and posixpath.join(base, path) for key, path in (("image", entry.image), ("mask", entry.mask))}
    return entry.model_copy(update={"id": f"{label}/{entry.id}", **paths})
