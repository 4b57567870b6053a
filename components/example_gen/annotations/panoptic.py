"""Reads COCO's panoptic annotations: a JSON file, and a PNG for each image whose colours are the ids of segments."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from common.errors import UserError
from components.example_gen.annotations.coco import category_names, require_coco
from components.example_gen.annotations.document import (
    AnnotatedImage,
    Bitmap,
    Document,
    Shape,
    Size,
    UnusableImage,
    bad_annotation,
)
from components.example_gen.annotations.json_file import read_json, repeated_key
from components.example_gen.files import Folder, escape_of, names
from components.example_gen.headers import open_image
from components.example_gen.quarantine import Reason
from components.example_gen.rejection import RejectionError

_MAX_PNG_BYTES = 250_000_000
_UNLABELLED = 0

Record = dict[str, Any]
Ids = npt.NDArray[np.uint32]


def read_panoptic(data: bytes, path: str, folder: Folder, below: str, max_pixels: int) -> Document:
    """The annotations in a panoptic file whose PNGs lie in the folder `below`.

    Raises `UserError` if it is not a panoptic file.
    """
    whole = require_coco(read_json(data, path), path)
    categories = category_names(whole["categories"], path)
    owned: dict[object, list[Record]] = {}
    for annotation in whole["annotations"]:
        if not isinstance(annotation, dict) or not isinstance(annotation.get("segments_info"), list):
            raise UserError(f"{path} is not a panoptic file: an annotation has no segments_info; leave panoptic out")
        if isinstance(annotation.get("image_id"), (int, str)):
            owned.setdefault(annotation["image_id"], []).append(annotation)
    ids = Counter(record.get("id") for record in whole["images"] if _has_id(record))
    images: list[AnnotatedImage] = []
    unusable: list[UnusableImage] = []
    pngs = _Pngs(folder, below, max_pixels)
    for number, record in enumerate(whole["images"], 1):
        name = f"image {record['id']}" if _has_id(record) else f"image number {number}"
        try:
            images.append(_image(record, name, ids, owned, categories, pngs))
        except RejectionError as rejected:
            unusable.append(UnusableImage(name, None, rejected))
    files = [pngs.path(found[0]) for found in owned.values()]
    return Document(tuple(images), tuple(unusable), files=tuple(path for path in files if path and not escape_of(path)))


class _Pngs:
    """The PNGs of segments in a folder."""

    def __init__(self, folder: Folder, below: str, max_pixels: int) -> None:
        self._folder = folder
        self._below = below
        self._max_pixels = max_pixels

    def path(self, annotation: Record) -> str:
        """Returns the path of an annotation's PNG relative to the root; as written if it leaves the folder."""
        file = annotation.get("file_name")
        if not isinstance(file, str) or not file:
            return ""
        return file if escape_of(file) else posixpath.join(self._below, file)

    def ids(self, annotation: Record, size: Size) -> Ids:
        """Returns the segment's id of each pixel [H, W]; raises `RejectionError` if the PNG is not for `size`."""
        path = self.path(annotation)
        if not path:
            raise bad_annotation("the annotation", "has no file_name")
        if escape := escape_of(path):
            raise RejectionError(Reason.OUTSIDE_ROOT, f"the PNG of segments: {escape}", "a PNG outside the root")
        if path not in self._folder.look_up([path]):
            cause = "names a PNG that does not exist below the root"
            raise RejectionError(Reason.MISSING_MASK, f"the annotation {cause}: {path}", f"an annotation {cause}")
        header = open_image(self._folder.read(path, _MAX_PNG_BYTES), self._max_pixels)
        if (header.width, header.height) != size:
            written = f"{header.width}×{header.height} pixels, the image {size[0]}×{size[1]}"
            cause = "the PNG of segments has another size than the image"
            raise RejectionError(Reason.SIZE_MISMATCH, f"{path} has {written}", cause)
        red, green, blue = np.moveaxis(np.asarray(header.decode().convert("RGB"), np.uint32), -1, 0)
        ids_HW: Ids = red + (green << 8) + (blue << 16)
        return ids_HW


def _has_id(record: object) -> bool:
    return isinstance(record, dict) and isinstance(record.get("id"), (int, str))


def _image(
    record: Record,
    name: str,
    ids: Mapping[object, int],
    owned: Mapping[object, list[Record]],
    categories: Mapping[object, str],
    pngs: _Pngs,
) -> AnnotatedImage:
    if not _has_id(record) or not isinstance(record.get("file_name"), str):
        cause = "has no id or no file_name"
        raise RejectionError(Reason.BAD_ROW, cause, f"an image's entry {cause}")
    annotations = owned.get(record["id"], [])
    if ids[record["id"]] > 1 or len(annotations) > 1:
        cause, remedy = "has an id or an annotation twice", "keep one of them"
        raise RejectionError(Reason.AMBIGUOUS_NAME, f"{cause}; {remedy}", f"an image {cause}", remedy)
    width, height = record.get("width"), record.get("height")
    stated = (width, height) if type(width) is int and type(height) is int else None
    segments = annotations[0]["segments_info"] if annotations else []
    shapes = partial(_shapes, annotations, categories, pngs)
    return AnnotatedImage(name, record["file_name"], stated, len(segments), shapes)


def _shapes(annotations: Sequence[Record], categories: Mapping[object, str], pngs: _Pngs, size: Size) -> list[Shape]:
    """Returns the segments; raises `RejectionError` if the PNG has others than `segments_info`."""
    shapes: list[Shape] = []
    for annotation in annotations:
        ids_HW = pngs.ids(annotation, size)
        segments = [_segment(segment, categories) for segment in annotation["segments_info"]]
        listed = {segment["id"] for segment in segments}
        strangers = {str(key) for key in np.unique(ids_HW).tolist() if key != _UNLABELLED and key not in listed}
        if strangers:
            raise bad_annotation(f"the PNG has segments ({names(strangers)})", "that segments_info does not list")
        shapes += [_shape(segment, categories, ids_HW) for segment in segments]
    return shapes


def _segment(segment: object, categories: Mapping[object, str]) -> Record:
    if not isinstance(segment, dict) or type(segment.get("id")) is not int:
        raise bad_annotation("a segment", "has no id")
    name = f"segment {segment['id']}"
    if twice := repeated_key(segment):
        raise bad_annotation(name, f"has the key {twice!r} twice")
    category = segment.get("category_id")
    if not isinstance(category, (int, str)) or category not in categories:
        raise bad_annotation(name, f"has the category_id {category!r}, which is not among the file's categories")
    return segment


def _shape(segment: Record, categories: Mapping[object, str], ids_HW: Ids) -> Shape:
    key = segment["id"]
    is_crowd = segment.get("iscrowd") in (1, True)
    return Shape(f"segment {key}", categories[segment["category_id"]], lambda: Bitmap(0, 0, ids_HW == key), is_crowd)
