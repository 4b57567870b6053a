"""The account of a data set: what was used, and what was set aside and why."""

from __future__ import annotations

import enum

from pydantic import Field

from components.settings import Settings

QUARANTINE_FILE = "quarantine.jsonl"
SUMMARY_FILE = "summary.json"


class Reason(str, enum.Enum):
    """Why a pair, or a stray file, is not used."""

    MISSING_MASK = "missing_mask"
    MISSING_IMAGE = "missing_image"
    AMBIGUOUS_NAME = "ambiguous_name"
    OUTSIDE_ROOT = "outside_root"
    UNREADABLE = "unreadable"
    UNSUPPORTED_FORMAT = "unsupported_format"
    TOO_LARGE = "too_large"
    SIZE_MISMATCH = "size_mismatch"
    UNKNOWN_LABEL = "unknown_label"
    ALL_VOID = "all_void"
    LEAK = "leak"
    BAD_ROW = "bad_row"


class Quarantined(Settings):
    """A pair, or one file without its partner, that is not used."""

    id: str = Field(description="The pair's name.")
    image: str | None = Field(default=None, description="Path of the image, relative to the root.")
    mask: str | None = Field(default=None, description="Path of the mask, relative to the root.")
    reason: Reason
    detail: str = Field(description="One sentence with the value: `size 20000×20000 is over the limit of …`.")
    cause: str | None = Field(
        default=None,
        description="The detail without what differs from pair to pair, so that equal causes can be counted together.",
    )
    remedy: str | None = Field(default=None, description="What to do about it; where it can be, a line to paste.")


class QuarantineCause(Settings):
    """One cause for which pairs are not used, and how many there are."""

    reason: Reason
    count: int
    cause: str | None = Field(default=None, description="What is common to them; none where one pair's detail says it.")
    example: Quarantined = Field(description="The first of them.")


class IngestionSummary(Settings):
    """What became of every pair that was found."""

    data_fingerprint: str
    classes: tuple[str, ...]
    found: int = Field(description="Pairs, and files without a partner.")
    used: dict[str, int] = Field(description="Split → pairs.")
    quarantined: dict[str, int] = Field(description="Reason → pairs.")
    causes: tuple[QuarantineCause, ...] = Field(
        default=(), description="The most frequent causes of what is quarantined, with what to do."
    )
    notes: tuple[str, ...] = Field(
        default=(), description="What was assumed in reading the source: the columns taken, names that nearly match."
    )
    strays: int = Field(default=0, description="Files that are neither image nor mask (`.DS_Store` and the like).")
    class_pixels: dict[str, tuple[int, ...]] = Field(description="Split → pixels of each class.")
    class_pictures: dict[str, tuple[int, ...]] = Field(description="Split → pictures in which each class occurs.")
    void_pixels: dict[str, int] = Field(description="Split → pixels that do not count.")
    slices: dict[str, dict[str, int]] = Field(default={}, description="Slicing column → value → pairs used.")
