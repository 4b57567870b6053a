"""Summary of an ingestion, and the quarantined pairs with their reasons."""

from __future__ import annotations

import enum

from pydantic import Field

from common.settings import Settings

QUARANTINE_FILE = "quarantine.jsonl"
SUMMARY_FILE = "summary.json"


class Reason(str, enum.Enum):
    """Reason why a pair, or a file without a partner, is not used."""

    MISSING_MASK = "missing_mask"
    MISSING_IMAGE = "missing_image"
    AMBIGUOUS_NAME = "ambiguous_name"
    OUTSIDE_ROOT = "outside_root"
    UNREADABLE = "unreadable"
    UNSUPPORTED_FORMAT = "unsupported_format"
    TOO_LARGE = "too_large"
    SEVERAL_IMAGES = "several_images"
    SIZE_MISMATCH = "size_mismatch"
    GEOREFERENCE_MISMATCH = "georeference_mismatch"
    UNKNOWN_LABEL = "unknown_label"
    ALL_VOID = "all_void"
    LEAK = "leak"
    BAD_ROW = "bad_row"
    HIDDEN_SHAPE = "hidden_shape"
    CONTRADICTING_MASKS = "contradicting_masks"
    SHARED_MASK = "shared_mask"
    SAME_FILE = "same_file"
    BAD_ANNOTATION = "bad_annotation"


class Quarantined(Settings):
    """A quarantined pair, or a file without a partner."""

    id: str = Field(description="The pair's name.")
    image: str | None = Field(default=None, description="Path of the image, relative to the root.")
    mask: str | None = Field(default=None, description="Path of the mask, relative to the root.")
    reason: Reason
    detail: str = Field(description="One sentence with the value: `size 20000×20000 is over the limit of …`.")
    cause: str | None = Field(
        default=None,
        description="The detail without the parts that differ between pairs, so that equal causes can be counted.",
    )
    remedy: str | None = Field(default=None, description="What to do about it; if possible, a line to paste.")
    values: dict[str, int] = Field(
        default={}, description="Values or colours of the mask that no label names → pixels; the first 32 of them."
    )


class LabelValue(Settings):
    """Counts of a value or colour in the masks."""

    value: str = Field(description="The number, or the colour as `#rrggbb`.")
    class_name: str | None = Field(default=None, description="The class that it stands for; none where it is void.")
    masks: int
    pixels: int


class PaletteConflict(Settings):
    """Two masks whose palettes contradict each other."""

    first: str = Field(description="Path of a mask.")
    second: str = Field(description="Path of another mask.")
    index: int | None = Field(
        default=None,
        description="The index that has two colours; none where greys are read from one, indices from the other.",
    )
    colours: tuple[str, ...] = Field(default=(), description="The two colours of the index, as `#rrggbb`.")


class LabelSummary(Settings):
    """Values of the ingested masks, before they became classes."""

    type: str = Field(default="", description="Type of the labels: `index`, `values`, `colours` or `threshold`.")
    values: tuple[LabelValue, ...] = Field(default=(), description="Values that the labels name, of those that occur.")
    unknown: tuple[LabelValue, ...] = Field(
        default=(), description="Values that no label names and that became void; the first 32 of them."
    )
    unknown_pixels: int = Field(default=0, description="Pixels that became void since no label names their value.")
    quarantined: tuple[LabelValue, ...] = Field(
        default=(),
        description="Values that no label names, of masks that are quarantined for them; the 32 most frequent.",
    )
    void_beside_one_class: int = Field(default=0, description="Masks that hold void and one class.")
    void_beside_more: int = Field(default=0, description="Masks that hold void and several classes.")
    palettes: tuple[PaletteConflict, ...] = ()


class QuarantineCause(Settings):
    """One cause of quarantined pairs, and their number."""

    reason: Reason
    count: int
    cause: str | None = Field(default=None, description="Their common cause; none if one pair's detail says it.")
    example: Quarantined = Field(description="The first of them.")


class FoldSummary(Settings):
    """Content of a fold of cross-validation."""

    pairs: int
    class_pixels: tuple[int, ...] = Field(description="Pixels of each class.")


class IngestionSummary(Settings):
    """Summary of what happened to every pair that was found."""

    data_fingerprint: str
    classes: tuple[str, ...]
    found: int = Field(description="Pairs, and files without a partner.")
    used: dict[str, int] = Field(description="Split → pairs.")
    quarantined: dict[str, int] = Field(description="Reason → pairs.")
    causes: tuple[QuarantineCause, ...] = Field(
        default=(), description="The most frequent causes of quarantined pairs, with remedies."
    )
    notes: tuple[str, ...] = Field(
        default=(), description="Assumptions made in reading the source: roles of columns, names that nearly match."
    )
    strays: int = Field(default=0, description="Files that are neither image nor mask (`.DS_Store` and the like).")
    class_pixels: dict[str, tuple[int, ...]] = Field(description="Split → pixels of each class.")
    class_pictures: dict[str, tuple[int, ...]] = Field(description="Split → images in which each class occurs.")
    void_pixels: dict[str, int] = Field(description="Split → void pixels.")
    mostly_void: dict[str, int] = Field(default={}, description="Split → images with more than 90 % void pixels.")
    labels: LabelSummary = LabelSummary()
    repeated: dict[str, int] = Field(
        default={}, description="Split → pairs that duplicate image and mask of another pair there."
    )
    slices: dict[str, dict[str, int]] = Field(default={}, description="Slicing column → value → pairs used.")
    folds: tuple[FoldSummary, ...] = Field(default=(), description="Folds of cross-validation, from fold 1.")

    def void_share(self, split: str) -> float:
        """Share of the pixels of `split` that are void, 0…1."""
        void = self.void_pixels.get(split, 0)
        return void / max(1, void + sum(self.class_pixels.get(split, ())))
