"""Configuration of the sources that read annotation files where they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from common.settings import Settings
from components.example_gen.annotations.class_tables import CITYSCAPES, CITYSCAPES_IGNORED, VOC
from components.example_gen.dates import check_dates, is_dated
from components.example_gen.source_fields import Dates, FollowLinks, Globs, ToOurSplit, Window, check_links

VOID_NAME = "void"
SKIP_NAME = "skip"


Background = Annotated[
    str | None,
    Field(description="Class of the pixels that no annotation covers, or `void`; default: the first class."),
]
Unannotated = Annotated[
    Literal["quarantine", "background"],
    Field(
        description="What to do with an image that has no annotation: quarantine it, or take all of it as background."
    ),
]
Overlap = Annotated[
    Literal["later", "larger", "smaller", "void"],
    Field(
        description="Which of two annotations has the pixels that both cover: the later one in the file, the larger, "
        "the smaller, or none (they become void if the classes differ)."
    ),
]
DrawOrder = Annotated[
    tuple[str, ...],
    Field(
        description="Classes in the order in which they are drawn, the last on top; classes that are missing here are "
        "drawn first. `overlap` decides between annotations of one rank."
    ),
]
ClassMap = Annotated[
    dict[str, str],
    Field(
        description="Name in the annotation file → our class, `void` (its pixels are ignored) or `skip` (it is not "
        "drawn); a name that is missing here must be the name of one of our classes."
    ),
]
Unknown = Annotated[
    Literal["quarantine", "void", "skip"],
    Field(
        description="What to do with an image that has an annotation of an unknown class: quarantine the image, "
        "or draw the annotation as void, or skip it."
    ),
]
Crowd = Annotated[
    Literal["void", "class", "skip"],
    Field(
        description="How an annotation with `iscrowd: 1` is drawn: as void below all others, as its class, or not at "
        "all."
    ),
]
ImageKey = Annotated[str, Field(description="Key below a task's `data` with the image's address.")]


class DrawnSource(Settings):
    """Settings that every source has whose annotations are drawn as masks.

    Root or paths may have `{date}` in them, as in a source of folders.
    """

    root: str = Field(
        description="Folder (local, gs:// or s3://) that holds all files; paths never leave it, except by a link with "
        "`follow_links`.",
        examples=["data/buildings"],
    )
    background: Background = None
    unannotated: Unannotated = "quarantine"
    overlap: Overlap = "later"
    draw_order: DrawOrder = ()
    follow_links: FollowLinks = False
    window: Window = 1
    dates: Dates = None

    @model_validator(mode="after")
    def _root_fits(self) -> DrawnSource:
        check_links(self.root, self.follow_links)
        check_dates(self.root, self.dated_paths, self.window, self.dates)
        return self

    @property
    def listed_paths(self) -> Sequence[str]:
        """The paths by which dates are found."""
        raise NotImplementedError

    @property
    def dated_paths(self) -> Sequence[str]:
        """The paths that must have `{date}` in them if one of them has, besides the root."""
        return self.listed_paths

    def check_classes(self, classes: Sequence[str], below: str = "") -> None:
        """Raises `ValueError` if the settings name an unknown class, or one of `classes` has a reserved name.

        `below` is the path of the settings below the source, for messages.
        """
        for name in (VOID_NAME, SKIP_NAME):
            if name in classes:
                raise ValueError(
                    f"a class cannot be named {name!r} with annotations, where it has a meaning; rename it"
                )
        for key, value in self.names.items():
            _require_class(f"{below}{self.names_key}[{key!r}]", value, (*classes, VOID_NAME, SKIP_NAME))
        if self.background is not None:
            _require_class(f"{below}background", self.background, (*classes, VOID_NAME))
        for name in self.draw_order:
            _require_class(f"{below}draw_order", name, (*classes, VOID_NAME))

    @property
    def names(self) -> Mapping[str, str]:
        """Name in the data → our class, `void` or `skip`."""
        return {}

    @property
    def names_key(self) -> str:
        """Key of the configuration that gives `names`."""
        return "class_map"

    @property
    def when_unknown(self) -> str:
        """What to do with a name that is neither ours nor among `names`: `quarantine`, `void` or `skip`."""
        return "quarantine"

    @property
    def crowds(self) -> str:
        """How an annotation of a crowd is drawn: `void`, `class` or `skip`."""
        return "class"


class NamedSource(DrawnSource):
    """Settings of the formats that name the class of each annotation."""

    class_map: ClassMap = Field(default={})
    unknown: Unknown = "quarantine"

    @property
    def names(self) -> Mapping[str, str]:
        """See `DrawnSource.names`."""
        return self.class_map

    @property
    def when_unknown(self) -> str:
        """See `DrawnSource.when_unknown`."""
        return self.unknown


class DocumentSource(NamedSource):
    """Settings of the formats whose files annotate many images each."""

    files: Globs = Field(min_length=1, description="Globs of the annotation files, relative to the root.")
    images: tuple[str, ...] = Field(
        default=(),
        description="Folders, relative to the root, in which the images' names are looked up; default: the folder of "
        "the annotation file, the root, and `images` below the root.",
    )
    splits: ToOurSplit = Field(
        default={},
        description="Glob of an annotation file, relative to the root → its split, such as "
        "`{'annotations/*val2017.json': eval}`; the first that matches counts. Images of other files are split by "
        "hash.",
    )

    @property
    def listed_paths(self) -> Sequence[str]:
        """See `DrawnSource.listed_paths`."""
        return self.files


class CocoSource(DocumentSource):
    """Annotation files of COCO: polygons and run-length encodings (instances), or PNGs of segments (panoptic).

    Holes need a run-length encoding; the polygons of one annotation are united.
    """

    type: Literal["coco"] = "coco"
    files: Globs = Field(
        default=("annotations/*.json",),
        min_length=1,
        description="Globs of the annotation files, relative to the root.",
    )
    panoptic: str | None = Field(
        default=None,
        description="Folder of the PNGs of a panoptic annotation, relative to the root; the annotation files are then "
        "panoptic ones (`segments_info`).",
    )
    crowd: Crowd = "void"

    @property
    def crowds(self) -> str:
        """See `DrawnSource.crowds`."""
        return self.crowd


class CvatSource(DocumentSource):
    """Annotation files of CVAT (CVAT for images 1.1, XML): polygons, masks, boxes and ellipses, in their z-order."""

    type: Literal["cvat"] = "cvat"
    files: Globs = Field(
        default=("*.xml",), min_length=1, description="Globs of the annotation files, relative to the root."
    )


class LabelStudioSource(DocumentSource):
    """Exports of Label Studio (JSON): brush, polygons, rectangles and ellipses.

    An uploaded image is looked up by its name, with and without the eight characters that Label Studio puts in front;
    one of the local storage by its path, which must be relative to the root or to one of `images`.
    """

    type: Literal["label_studio"] = "label_studio"
    files: Globs = Field(
        default=("*.json",), min_length=1, description="Globs of the annotation files, relative to the root."
    )
    image_key: ImageKey = "image"


class InstancesSource(DrawnSource):
    """Several mask files an image: each is one object, as the Data Science Bowl ships them.

    A mask belongs to the image whose name its own begins with, or whose name its folder has, or that is the only one in
    its folder.  Every value above 0 is the object.
    """

    type: Literal["instances"] = "instances"
    images: Globs = Field(
        default=("*/images/*",), min_length=1, description="Globs of the images, relative to the root."
    )
    masks: dict[str, Globs] = Field(
        min_length=1,
        description="Class → globs of the masks of its objects, relative to the root.",
        examples=["{nucleus: ['*/masks/*']}"],
    )

    @property
    def listed_paths(self) -> Sequence[str]:
        """See `DrawnSource.listed_paths`."""
        return self.images

    @property
    def dated_paths(self) -> Sequence[str]:
        """See `DrawnSource.dated_paths`."""
        return (*self.images, *(glob for globs in self.masks.values() for glob in globs))

    @property
    def names(self) -> Mapping[str, str]:
        """See `DrawnSource.names`."""
        return {name: name for name in self.masks}

    @property
    def names_key(self) -> str:
        """See `DrawnSource.names_key`."""
        return "masks"


class LabelmeSource(NamedSource):
    """Files of LabelMe, one for each image: polygons, rectangles, circles and masks.

    An annotation file belongs to the image of its name; the image that it contains (`imageData`) is not read.
    """

    type: Literal["labelme"] = "labelme"
    images: Globs = Field(default=("**",), min_length=1, description="Globs of the images, relative to the root.")
    annotations: Globs = Field(
        default=("**/*.json",), min_length=1, description="Globs of the annotation files, relative to the root."
    )

    @property
    def listed_paths(self) -> Sequence[str]:
        """See `DrawnSource.listed_paths`."""
        return self.images

    @property
    def dated_paths(self) -> Sequence[str]:
        """See `DrawnSource.dated_paths`."""
        return (*self.images, *self.annotations)


class YoloSource(NamedSource):
    """Polygons of YOLO (segmentation): a text file for each image, and `data.yaml` with classes and folders."""

    type: Literal["yolo"] = "yolo"
    file: str = Field(default="data.yaml", description="The file with `names`, `train`, `val` and `test`.")
    folders: dict[str, str] = Field(
        default={},
        description="Key of the file → folder of its images, relative to the root, instead of what the file says.",
    )
    splits: ToOurSplit = Field(
        default={"train": "train", "val": "eval", "test": "test"},
        description="Key of the file → our split; a missing one is taken from train by hash.",
    )

    @property
    def listed_paths(self) -> Sequence[str]:
        """See `DrawnSource.listed_paths`."""
        return (self.file,)


class PresetSource(Settings):
    """Settings of the public data sets, whose folders and mask values are known."""

    root: str = Field(
        description="Folder (local, gs:// or s3://) that holds the data set as it is distributed.",
        examples=["data/VOCdevkit/VOC2012"],
    )
    class_map: dict[str, str] = Field(
        default={}, description="Name of a class of the data set → our class, or `void` (its pixels are ignored)."
    )
    others: str | None = Field(
        default=None,
        description="Our class, or `void`, for classes of the data set that are neither among our classes nor in "
        "`class_map`; without it each must be.",
    )
    splits: ToOurSplit = Field(
        default={"train": "train", "val": "test"},
        description="Split of the data set → ours; a missing one is taken from train by hash.",
    )
    follow_links: FollowLinks = False

    @model_validator(mode="after")
    def _root_fits(self) -> PresetSource:
        check_links(self.root, self.follow_links)
        if is_dated(self.root):
            raise ValueError(f"{self.root}: {{date}} is for sources whose data grows, not for a public data set")
        return self

    @property
    def values(self) -> Mapping[int, str]:
        """Value in a mask → name of its class."""
        raise NotImplementedError

    @property
    def ignored(self) -> Mapping[int, str]:
        """Value in a mask → name, of what is void unless it is asked for."""
        return {}

    def mapped(self, classes: Sequence[str]) -> dict[int, str]:
        """Returns value in a mask → our class or `void`; raises `ValueError` if one is missing or unknown."""
        known = {*self.values.values(), *self.ignored.values()}
        for theirs, ours in self.class_map.items():
            _require_class(f"class_map[{theirs!r}]", ours, (*classes, VOID_NAME))
            if theirs not in known:
                raise ValueError(f"source.class_map names {theirs!r}, which is not a class of this data set")
        if self.others is not None:
            _require_class("others", self.others, (*classes, VOID_NAME))
        own = {name: name for name in classes} | self.class_map
        missing = [name for name in self.values.values() if name not in own]
        if missing and self.others is None:
            raise ValueError(
                f"classes of the data set that are neither among data.classes nor in source.class_map: "
                f"{', '.join(missing)}; write others: void under data.source, or one of the classes"
            )
        counted = {value: own.get(name, self.others or VOID_NAME) for value, name in self.values.items()}
        return counted | {value: own.get(name, VOID_NAME) for value, name in self.ignored.items()}


class VocSource(PresetSource):
    """Pascal VOC (segmentation): JPEGImages, SegmentationClass, and the lists of ImageSets/Segmentation.

    The borders of objects (255) are void.
    """

    type: Literal["voc"] = "voc"

    @property
    def values(self) -> Mapping[int, str]:
        """See `PresetSource.values`."""
        return VOC


class CityscapesSource(PresetSource):
    """Cityscapes (fine annotations): leftImg8bit and gtFine with labelIds; a city is never in two splits.

    What its benchmark does not count is void unless `class_map` or `classes` names it.
    """

    type: Literal["cityscapes"] = "cityscapes"

    @property
    def values(self) -> Mapping[int, str]:
        """See `PresetSource.values`."""
        return CITYSCAPES

    @property
    def ignored(self) -> Mapping[int, str]:
        """See `PresetSource.ignored`."""
        return CITYSCAPES_IGNORED


def _require_class(place: str, name: str, allowed: Iterable[str]) -> None:
    if name not in allowed:
        raise ValueError(f"source.{place} names {name!r}, which is not among {', '.join(allowed)}")


_ROW_FORMATS: Mapping[str, tuple[type[NamedSource], str]] = {
    "coco": (CocoSource, ".json"),
    "cvat": (CvatSource, ".xml"),
    "label_studio": (LabelStudioSource, ".json"),
    "labelme": (LabelmeSource, ".json"),
    "yolo": (YoloSource, ".txt"),
}
"""Format → its source, and the suffix of its files."""


class RowAnnotations(Settings):
    """Annotation files that the rows of a manifest name instead of masks.

    A row whose mask ends with the suffix of the format (`.json`, `.xml` of CVAT, `.txt` of YOLO) is drawn, every other
    one is a mask of class indices.  A file of COCO, CVAT or Label Studio may be named by many rows: a row's entry in it
    is the one with whose file name the path of the row's image ends.
    """

    type: Literal["coco", "cvat", "label_studio", "labelme", "yolo"] = Field(
        description="Format of the annotation files.", examples=["labelme"]
    )
    background: Background = None
    unannotated: Unannotated = "quarantine"
    overlap: Overlap = "later"
    draw_order: DrawOrder = ()
    class_map: ClassMap = Field(default={})
    unknown: Unknown = "quarantine"
    crowd: Crowd = "void"
    image_key: ImageKey = "image"
    names_file: str = Field(
        default="data.yaml", description="With `yolo`: the file with the names of the classes, relative to the root."
    )

    @model_validator(mode="after")
    def _fields_are_of_the_format(self) -> RowAnnotations:
        for key, of in (("crowd", "coco"), ("image_key", "label_studio"), ("names_file", "yolo")):
            if self.type != of and getattr(self, key) != type(self).model_fields[key].default:
                raise ValueError(f"{key} is for annotations of type {of}, not {self.type}")
        return self

    @property
    def suffix(self) -> str:
        """Suffix of the annotation files, in lower case."""
        return _ROW_FORMATS[self.type][1]

    def source(self, root: str, follow_links: bool) -> NamedSource:
        """Returns the source whose files they are, with the same settings."""
        shared = self.model_dump(exclude={"crowd", "image_key", "names_file"})
        own: dict[str, dict[str, str]] = {
            "coco": {"crowd": self.crowd},
            "label_studio": {"image_key": self.image_key},
            "yolo": {"file": self.names_file},
        }
        settings = {**shared, **own.get(self.type, {}), "root": root, "follow_links": follow_links}
        return _ROW_FORMATS[self.type][0].model_validate(settings)


AnnotatedSource = (
    CocoSource
    | CvatSource
    | LabelStudioSource
    | InstancesSource
    | LabelmeSource
    | YoloSource
    | VocSource
    | CityscapesSource
)
