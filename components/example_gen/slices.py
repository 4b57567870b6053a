"""Slicing columns of a data set that are known from its listing, before any image is opened."""

from __future__ import annotations

from common.errors import UserError
from components.example_gen.config import DataConfig
from components.example_gen.pairing import Listing


def listed_slices(listing: Listing) -> dict[str, set[str]]:
    """Returns slicing column → values of the pairs; without buckets, which need the pixels."""
    values: dict[str, set[str]] = {}
    for pair in listing.pairs:
        for column, value in pair.slices.items():
            values.setdefault(column, set()).add(value)
    return values


def check_buckets(config: DataConfig, listing: Listing) -> None:
    """Checks that no bucket has the name of a slicing column.

    Raises:
        UserError: one does.
    """
    taken = {column for pair in listing.pairs[:1] for column in pair.slices} & set(config.buckets)
    if taken:
        raise UserError(f"the bucket {min(taken)!r} has the name of a slicing column; give it another one")
