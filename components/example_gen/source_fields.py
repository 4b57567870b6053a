"""Configuration fields that several data sources share."""

from __future__ import annotations

import datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from common.records import SPLITS

Globs = tuple[str, ...]

FollowLinks = Annotated[
    bool,
    Field(
        description="Whether links below the root may lead out of it, so that data on a read-only share can be used in "
        "place; the manifest may then be elsewhere too. Without it nothing outside the root is read. Only folders of "
        "this machine have links, buckets have none.",
    ),
]


Window = Annotated[
    int,
    Field(
        ge=1,
        description="Number of dates that are read if the paths have `{date}`: the newest up to the day of the run.",
    ),
]
Dates = Annotated[
    tuple[datetime.date, ...] | None,
    Field(
        min_length=1,
        description="The dates that are read, instead of a window; a run records here which dates it used.",
    ),
]


def _check_splits(names: dict[str, str]) -> dict[str, str]:
    unknown = sorted(set(names.values()) - set(SPLITS))
    if unknown:
        raise ValueError(f"unknown split {unknown[0]!r}; the splits are {', '.join(SPLITS)}")
    return names


ToOurSplit = Annotated[dict[str, str], AfterValidator(_check_splits)]
"""A name that the data has → one of our splits."""


def check_links(root: str, follow_links: bool) -> None:
    """Raises `ValueError` if links are to be followed in a bucket."""
    if follow_links and "://" in root:
        raise ValueError(f"follow_links is for folders of this machine; a bucket has no links, and the root is {root}")
