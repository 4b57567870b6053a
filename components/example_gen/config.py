"""Configuration of the data: where it is, what its masks mean, and how it is split."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from common.records import MAX_CLASSES, MAX_FOLDS, VOID
from common.settings import Settings, default_type
from components.example_gen.annotations.config import (
    VOID_NAME,
    AnnotatedSource,
    DrawnSource,
    PresetSource,
    RowAnnotations,
)
from components.example_gen.bands_config import BandsConfig
from components.example_gen.dates import check_dates, is_dated
from components.example_gen.source_fields import Dates, FollowLinks, Globs, ToOurSplit, Window, check_links


class FoldersSource(Settings):
    """Images and masks in folders, paired by their stems.

    Names that differ only in case or in their Unicode form (as macOS and Linux write `ü`) are paired where there is
    one partner; `segpipe check` says how many there are.

    Root or globs may have `{date}` in them, or `{date:%Y/%m}` and the like: `root: data/{date}` reads the newest of the
    folders data/2024-05-01, data/2024-05-02 and so on.
    """

    type: Literal["folders"] = "folders"
    root: str = Field(
        description="Folder (local, gs:// or s3://) that holds all files; paths never leave it, except by a link with "
        "`follow_links`.",
        examples=["data/buildings"],
    )
    images: Globs = Field(
        default=("images/**",), min_length=1, description="Globs of the images, relative to the root."
    )
    masks: Globs = Field(default=("masks/**",), description="Globs of the masks, relative to the root.")
    mask_suffix: str = Field(
        default="",
        description="Suffix of a mask's stem beyond its image's, such as `_mask` or `_label`; a file without it is not "
        "a mask. It is an error if no mask has it.",
    )
    follow_links: FollowLinks = False
    window: Window = 1
    dates: Dates = None

    @model_validator(mode="after")
    def _dates_fit(self) -> FoldersSource:
        check_dates(self.root, self.dated_paths, self.window, self.dates)
        check_links(self.root, self.follow_links)
        return self

    @property
    def dated_paths(self) -> Sequence[str]:
        """The paths that may have `{date}` in them, besides the root."""
        return (*self.images, *self.masks)


_SPLIT_WORDS = {
    "train": ("train", "training", "trn"),
    "eval": ("eval", "evaluation", "val", "valid", "validation", "dev", "development"),
    "test": ("test", "testing", "tst"),
}
SPLIT_NAMES = {word: split for split, words in _SPLIT_WORDS.items() for word in words}
"""Names of splits that every manifest may use, in any case → our names."""


class ManifestSource(Settings):
    """A table with one row per pair: image, mask, and optionally split and group.

    It is a CSV file as spreadsheets write it (separated by commas, semicolons, tabs or bars; UTF-8, or the UTF-16 of
    Excel's "Unicode text"), a file of JSON lines, or a JSON list of objects.  Columns without a name and without
    content are ignored, as are empty rows.

    Columns are found in any case.  A column `split` gives the splits and a column `group` the groups, unless another
    one is configured; `slice_columns: [split]` makes it a slice instead.  Every further column is a slice:
    metrics are shown for each of its values.  `segpipe check` reports the role of each column.

    Paths are relative to the root; absolute ones are accepted if they lie below it.  Root or file may have `{date}` in
    them, or `{date:%Y/%m}` and the like, for one manifest per date.
    """

    type: Literal["manifest"] = "manifest"
    root: str = Field(
        description="Folder (local, gs:// or s3://) to which the manifest's paths are relative.",
        examples=["data/buildings"],
    )
    file: str = Field(
        default="index.csv",
        description="The manifest (.csv, .tsv, .jsonl, .json), relative to the root; with `follow_links`, it may lie "
        "outside (`/lists/index.csv`, `../index.csv`).",
    )
    delimiter: str | None = Field(
        default=None,
        description="Character between the cells of a row, such as `;` or `tab`; default: the one with which the "
        "header names the columns of image and mask.",
    )
    image_column: str = Field(default="image", description="Column with the image's path.")
    mask_column: str = Field(default="mask", description="Column with the mask's path.")
    annotations: RowAnnotations | None = Field(
        default=None,
        description="Format of the annotation files that rows name instead of masks; null: every row names a mask.",
        examples=["{type: labelme}"],
    )
    id_column: str | None = Field(
        default=None, description="Column with the pair's name; default: the image's path without its suffix."
    )
    split_column: str | None = Field(
        default=None,
        description="Column that says train, eval or test (`val`, `valid`, `validation` and `dev` are eval); rows with "
        "an empty cell are split by hash; default: the column `split`, if there is one.",
    )
    split_names: ToOurSplit = Field(
        default={}, description="Further names of splits in that column → our names, such as `{holdout: test}`."
    )
    group_column: str | None = Field(
        default=None,
        description="Column of groups (a patient, a video): equal values are always in one split; default: the column "
        "`group`, if there is one.",
    )
    slice_columns: tuple[str, ...] | None = Field(
        default=None, description="Columns that become slices; default: every column without another role."
    )
    follow_links: FollowLinks = False
    window: Window = 1
    dates: Dates = None

    @field_validator("delimiter")
    @classmethod
    def _one_character(cls, value: str | None) -> str | None:
        if value is None:
            return None
        character = {"tab": "\t", "\\t": "\t"}.get(value.lower(), value)
        if len(character) != 1 or character.isalnum() or character in '"\r\n':
            raise ValueError(f"{value!r} is not a delimiter; write one character, such as ';', or tab")
        return character

    @model_validator(mode="after")
    def _dates_fit(self) -> ManifestSource:
        check_dates(self.root, self.dated_paths, self.window, self.dates)
        if self.annotations and self.annotations.type == "yolo" and is_dated(f"{self.root}/{self.file}"):
            raise ValueError(
                "annotations of type yolo need a manifest without {date}, because each date may have names of its own: "
                "write source: {type: yolo, root: …}"
            )
        check_links(self.root, self.follow_links)
        return self

    @property
    def dated_paths(self) -> Sequence[str]:
        """The paths that may have `{date}` in them, besides the root."""
        return (self.file,)


class TfdsSource(Settings):
    """A data set of TensorFlow Datasets, by name; needs the package `tensorflow-datasets`."""

    type: Literal["tfds"] = "tfds"
    name: str = Field(
        description="Name of the data set, such as `oxford_iiit_pet:4.*.*`.", examples=["'oxford_iiit_pet:4.*.*'"]
    )
    data_dir: str | None = Field(default=None, description="Where it is prepared; default: the package's folder.")
    image_key: str = Field(default="image", description="Feature that holds the image.")
    mask_key: str = Field(default="segmentation_mask", description="Feature that holds the mask.")
    splits: ToOurSplit = Field(
        default={"train": "train", "test": "test"},
        description="Their splits → ours; a missing one is taken from train by hash.",
    )
    download: bool = Field(default=False, description="Whether the package may download and prepare it.")

    @model_validator(mode="after")
    def _two_features(self) -> TfdsSource:
        if self.image_key == self.mask_key:
            raise ValueError(
                f"image_key and mask_key are both {self.image_key!r}; name the feature that holds the mask"
            )
        return self


Source = Annotated[FoldersSource | ManifestSource | TfdsSource | AnnotatedSource, Field(discriminator="type")]

Void = Annotated[tuple[int, ...], Field(description="Void values, which are ignored.")]
Unknown = Annotated[
    Literal["quarantine", "void"],
    Field(description="What to do with a pair that has a value without a label."),
]


def _refuse_repetition(written: Iterable[str], meant: Sequence[str]) -> None:
    """Rejects the same value written in two ways."""
    for colour, same in zip(written, meant, strict=True):
        if meant.count(same) > 1:
            raise ValueError(f"the colour {colour!r} occurs twice in classes, in upper and in lower case")


class IndexLabels(Settings):
    """Pixel values are class indices, perhaps shifted (trimaps count from 1)."""

    type: Literal["index"] = "index"
    offset: int = Field(default=0, description="Subtracted from each value: 1 makes 1…3 into 0…2.")
    void: Void = (255,)
    unknown: Unknown = "quarantine"


class ValueLabels(Settings):
    """Each pixel value stands for a class; several may stand for the same."""

    type: Literal["values"] = "values"
    classes: dict[int, str] = Field(
        description="Pixel value → name of the class.", examples=["{0: background, 255: building}"]
    )
    void: Void = ()
    unknown: Unknown = "quarantine"


class ColourLabels(Settings):
    """Each RGB colour stands for a class."""

    type: Literal["colours"] = "colours"
    classes: dict[str, str] = Field(
        description="Colour as `#rrggbb` → name of the class.",
        examples=["{'#000000': background, '#ff0000': building}"],
    )
    void: tuple[str, ...] = Field(default=(), description="Void colours, which are ignored.")
    unknown: Unknown = "quarantine"

    @model_validator(mode="after")
    def _hex_colours(self) -> ColourLabels:
        for colour in (*self.classes, *self.void):
            digits = colour.removeprefix("#")
            if len(digits) != 6 or not colour.startswith("#") or not all(c in "0123456789abcdefABCDEF" for c in digits):
                raise ValueError(f"{colour!r} is not a colour; write it as '#rrggbb'")
        _refuse_repetition(self.classes, [colour.lower() for colour in self.classes])
        return self


class ThresholdLabels(Settings):
    """Grey masks, possibly anti-aliased: class 1 from a grey value on, class 0 below it."""

    type: Literal["threshold"] = "threshold"
    at: int = Field(
        default=128,
        ge=1,
        le=255,
        description="The lowest grey value that is class 1, in units of 8 bits; 1 is every value above 0.",
    )


Labels = Annotated[
    IndexLabels | ValueLabels | ColourLabels | ThresholdLabels,
    Field(discriminator="type"),
    default_type("index", IndexLabels, ValueLabels, ColourLabels, ThresholdLabels),
]


class Limits(Settings):
    """Limits on a file, checked on its header before it is decoded."""

    max_pixels: int = Field(default=64_000_000, ge=1, description="Most pixels (width × height) of an image or mask.")
    max_bytes: int = Field(default=64_000_000, ge=1, description="Most bytes of a file.")


BY_CLASSES = "classes"
"""Value of `stratify` that is not a slicing column."""


class Split(Settings):
    """Shares of the splits, for pairs whose split is not given; decided by a hash of the group or the content."""

    train: float = Field(default=0.8, ge=0, le=1, description="Share for training.")
    eval: float = Field(
        default=0.1, ge=0, le=1, description="Share for early stopping and the choice of the best epoch."
    )
    test: float = Field(default=0.1, ge=0, le=1, description="Share for the evaluation.")
    stratify: str | None = Field(
        default=None,
        min_length=1,
        description="Slicing column of the manifest whose values each get these shares, so that a rare value is in "
        "every split; or `classes`, so that each class in the masks gets them, which reads all masks once more. Pairs "
        "are then ordered by a hash of their group or id. Default: no stratification.",
    )
    folds: int | None = Field(
        default=None,
        ge=2,
        le=MAX_FOLDS,
        description="Cross-validation: all pairs outside the test split, those with a given split too, are divided "
        "into this many folds of equal shares, by the same hash or strata; groups stay together. A model is trained "
        "for each fold, on all others, and the average of these models is evaluated on the test split and pushed. "
        "`train` and `eval` then matter by their sum alone: the split eval is fold 1, train the others. Default: one "
        "model.",
    )

    @model_validator(mode="after")
    def _sums_to_one(self) -> Split:
        total = self.train + self.eval + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"train, eval and test must add up to 1, but add up to {total:g}")
        return self


class SizeBuckets(Settings):
    """A slice made from a derived feature by buckets of its value."""

    feature: Literal["image_pixels", "foreground_fraction", "brightness"] = Field(
        description="What is measured: width × height, share of classes ≥ 1, mean luma.", examples=["brightness"]
    )
    edges: tuple[float, ...] = Field(
        min_length=1, description="Rising edges; n edges make n + 1 buckets.", examples=["[0.2, 0.5]"]
    )

    @field_validator("edges")
    @classmethod
    def _rising(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if list(value) != sorted(set(value)):
            raise ValueError(f"each edge must be above the one before it, unlike {list(value)}")
        return value


class DataConfig(Settings):
    """The data: source, classes, meaning of the masks, limits and splits."""

    source: Source = Field(description="Where the pairs come from.", examples=["{type: folders, root: data}"])
    classes: tuple[str, ...] = Field(
        min_length=2,
        max_length=MAX_CLASSES,
        description="Names of the classes in the order of their indices.",
        examples=["[background, building]"],
    )
    labels: Labels = Field(default=IndexLabels(), description="What a mask's values mean.")
    bands: BandsConfig | None = Field(
        default=None,
        description="Bands of the images, kept at full depth; null: 8-bit RGB.",
        examples=["{names: [red, green, blue, nir]}"],
    )
    limits: Limits = Field(default=Limits(), description="Limits that are checked before a file is decoded.")
    split: Split = Field(default=Split(), description="Shares of the splits, for pairs without a given split.")
    buckets: dict[str, SizeBuckets] = Field(
        default={}, description="Further slices, by name, made from derived features."
    )
    max_aspect_difference: float = Field(
        default=0.01,
        ge=0,
        description="How far the aspect ratios of image and mask may differ; their sizes always may.",
    )
    shard_bytes: int = Field(default=64_000_000, ge=1, description="Approximate size of one record file.")

    @field_validator("classes")
    @classmethod
    def _distinct(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        twice = sorted({name for name in value if value.count(name) > 1})
        if twice:
            raise ValueError(f"class {twice[0]!r} is named twice")
        return value

    @model_validator(mode="after")
    def _labels_name_classes(self) -> DataConfig:
        if isinstance(self.labels, (ValueLabels, ColourLabels)):
            unknown = sorted(set(self.labels.classes.values()) - set(self.classes))
            if unknown:
                raise ValueError(
                    f"labels name class {unknown[0]!r}, which is not among the classes {', '.join(self.classes)}"
                )
        if isinstance(self.labels, ThresholdLabels) and len(self.classes) != 2:
            raise ValueError(f"threshold labels make two classes, but {len(self.classes)} are named")
        return self

    @model_validator(mode="after")
    def _bands_are_read(self) -> DataConfig:
        if self.bands and not isinstance(self.source, (FoldersSource, ManifestSource, PresetSource)):
            raise ValueError(f"bands are read from sources with mask files, not from type {self.source.type}")
        if self.bands and self._row_annotations:
            raise ValueError("bands are read from sources with mask files, not with source.annotations")
        return self

    @model_validator(mode="after")
    def _annotations_name_classes(self) -> DataConfig:
        rows = self._row_annotations
        if not rows and not isinstance(self.source, (DrawnSource, PresetSource)):
            return self
        if self.labels != IndexLabels():
            kind, key = ("source.annotations", "annotations.") if rows else (f"a source of type {self.source.type}", "")
            raise ValueError(
                f"labels are for mask files; {kind} names its classes: write source.{key}class_map instead"
            )
        if rows:
            rows.source("", follow_links=False).check_classes(self.classes, "annotations.")
        elif isinstance(self.source, PresetSource):
            self.source.mapped(self.classes)
        elif isinstance(self.source, DrawnSource):
            self.source.check_classes(self.classes)
        return self

    @property
    def _row_annotations(self) -> RowAnnotations | None:
        return self.source.annotations if isinstance(self.source, ManifestSource) else None

    @property
    def mask_labels(self) -> Labels:
        """What the values of the masks mean: `labels`, or the values of a public data set."""
        if not isinstance(self.source, PresetSource):
            return self.labels
        mapped = self.source.mapped(self.classes)
        named = {value: name for value, name in mapped.items() if name != VOID_NAME}
        void = tuple(value for value, name in mapped.items() if name == VOID_NAME)
        return ValueLabels(classes=named, void=(*void, VOID))
