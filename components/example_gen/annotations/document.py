"""The common record of annotations: what every reader of a format makes of its file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from components.example_gen.quarantine import Reason
from components.example_gen.rejection import RejectionError

Points = npt.NDArray[np.float64]
"""[N, 2] of x and y, in pixels from the upper left corner of the image."""

Size = tuple[int, int]
"""Width and height."""


@dataclass(frozen=True)
class Polygons:
    """The union of polygons; each is filled by the even–odd rule."""

    rings: tuple[Points, ...]


@dataclass(frozen=True)
class ColumnRuns:
    """Run-length encoding of COCO: runs of 0 and 1 by turns, down the columns of the whole image."""

    size: Size
    counts: Sequence[int] | bytes
    """Lengths of the runs, or their compressed text."""


@dataclass(frozen=True)
class Bitmap:
    """A window of the image as pixels."""

    left: int
    top: int
    is_set_HW: npt.NDArray[np.bool_]


Geometry = Polygons | ColumnRuns | Bitmap


@dataclass(frozen=True)
class Shape:
    """One annotation."""

    id: str
    """Its name for messages: `annotation 17`."""
    label: str
    """Class as the file names it."""
    geometry: Callable[[], Geometry]
    """Reads the geometry; raises `RejectionError` if it is not usable.  It is not called for what is skipped."""
    crowd: bool = False
    layer: int = 0
    """Layers are drawn in rising order."""


@dataclass(frozen=True)
class AnnotatedImage:
    """The annotations of one image."""

    id: str
    """Its name within the file for messages: `image 17`."""
    file: str
    """Path of the image as the file writes it."""
    size: Size | None
    """Width and height that the file states; `None` if it states none."""
    count: int
    """Number of annotations."""
    shapes: Callable[[Size], Sequence[Shape]]
    """Reads the annotations for an image of a size; raises `RejectionError` if one is not usable."""
    other_files: tuple[str, ...] = ()
    """Further names under which the image may lie."""


@dataclass(frozen=True)
class UnusableImage:
    """An entry for an image that cannot be used."""

    id: str
    file: str | None
    rejected: RejectionError


@dataclass(frozen=True)
class Document:
    """The content of one annotation file."""

    images: tuple[AnnotatedImage, ...]
    unusable: tuple[UnusableImage, ...] = ()
    notes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    """Further files that the annotations are in, relative to the root."""
    by_id: Mapping[str, AnnotatedImage] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_id", {image.id: image for image in self.images})


def bad_annotation(shape: str, problem: str, remedy: str | None = None) -> RejectionError:
    """Returns the rejection of an image for one of its annotations: `annotation 17 has no segmentation`."""
    return RejectionError(
        Reason.BAD_ANNOTATION,
        f"{shape} {problem}" + (f"; {remedy}" if remedy else ""),
        f"an annotation {problem}",
        remedy,
    )
