"""The slicing columns of a data set, as far as its listing tells, before any image is opened."""

from __future__ import annotations

from common.errors import UserError
from components.example_gen.config import DataConfig
from components.example_gen.pairing import Listing


def listed_slices(listing: Listing) -> dict[str, set[str]]:
    """Slicing column → the values that its pairs have; buckets, which need the pixels, are not among them."""
    values: dict[str, set[str]] = {}
    for pair in listing.pairs:
        for column, value in pair.slices.items():
            values.setdefault(column, set()).add(value)
    return values


def check_buckets(config: DataConfig, listing: Listing) -> None:
    """Checks that no bucket takes the name of a slicing column.

    Raises:
        UserError: one does.
    """
    taken = {column for pair in listing.pairs[:1] for column in pair.slices} & set(config.buckets)
    if taken:
        raise UserError(f"the bucket {min(taken)!r} has the name of a slicing column; give it another one")
