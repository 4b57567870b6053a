"""Reads COCO's annotation files (instances): cocodataset.org/#format-data."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from common.errors import UserError
from components.example_gen.annotations.document import (
    AnnotatedImage,
    ColumnRuns,
    Document,
    Geometry,
    Points,
    Polygons,
    Shape,
    Size,
    UnusableImage,
    bad_annotation,
)
from components.example_gen.annotations.json_file import is_number, read_item, read_json_with_list, repeated_key
from components.example_gen.quarantine import Reason
from components.example_gen.rejection import RejectionError

Record = dict[str, Any]


def read_coco(data: bytes, path: str) -> Document:
    """The annotations in a COCO file; raises `UserError` if it is not one."""
    annotations = _Annotations()
    content, annotations.text = read_json_with_list(data, path, "annotations", annotations.add)
    whole = require_coco(content, path)
    names = category_names(whole["categories"], path)
    ids = Counter(_key(image) for image in whole["images"])
    images: list[AnnotatedImage] = []
    unusable: list[UnusableImage] = []
    for number, record in enumerate(whole["images"], 1):
        try:
            images.append(_image(record, number, ids, annotations, names))
        except RejectionError as rejected:
            file = record.get("file_name") if isinstance(record, dict) else None
            unusable.append(UnusableImage(_name(record, number), file if isinstance(file, str) else None, rejected))
    return Document(tuple(images), tuple(unusable), tuple(annotations.notes(path, ids)))


class _Annotations:
    """The annotations of a file, by image: the places of their texts, which take a fifth of the annotations' memory."""

    def __init__(self) -> None:
        self.text = ""
        self._places: defaultdict[object, array[int]] = defaultdict(lambda: array("Q"))
        self._ids: set[object] = set()
        self._twice: list[object] = []
        self._strange = 0

    def add(self, annotation: object, start: int, end: int) -> None:
        """Takes the next annotation, whose text is from `start` to `end`."""
        if isinstance(annotation, dict) and isinstance(annotation.get("image_id"), (int, str)):
            self._places[annotation["image_id"]].extend((start, end))
        else:
            self._strange += 1
        key = annotation.get("id") if isinstance(annotation, dict) else None
        if isinstance(key, (int, str)):
            if key in self._ids:
                self._twice.append(key)
            self._ids.add(key)

    def count(self, image: object) -> int:
        """Number of annotations of an image."""
        return len(self._places[image]) // 2 if image in self._places else 0

    def of(self, image: object) -> list[Record]:
        """Reads the annotations of an image, in the order of the file."""
        places = self._places.get(image, ())
        return [read_item(self.text, start, end) for start, end in zip(places[::2], places[1::2], strict=True)]

    def notes(self, path: str, images: Mapping[object, int]) -> Iterator[str]:
        """Yields sentences on annotations that belong to no image, and on ids that occur twice, which do no harm.

        The ids are forgotten afterwards.
        """
        homeless = [image for image in self._places if image not in images]
        if homeless:
            number, first = sum(map(self.count, homeless)), self.of(homeless[0])[0].get("id")
            yield f"{path}: annotations of images that it does not list: {number}, such as annotation {first}"
        if self._strange:
            yield f"{path}: entries among the annotations that name no image: {self._strange}"
        if self._twice:
            number = len(set(self._twice))
            yield f"{path}: annotation ids that occur more than once: {number}, such as {self._twice[0]}"
        self._ids.clear()


def require_coco(whole: object, path: str) -> Record:
    """Returns the object in a file of COCO; raises `UserError` if it is not one."""
    keys = ("images", "annotations", "categories")
    if isinstance(whole, dict):
        if twice := repeated_key(whole):
            raise UserError(f"the annotation file {path} has the key {twice!r} twice; keep one of them")
        missing = [key for key in keys if not isinstance(whole.get(key), list)]
        if not missing:
            return whole
        there = ", ".join(list(whole)[:6]) or "no keys"
        raise UserError(
            f"the annotation file {path} is not a COCO file of instances: it has no list {missing[0]!r}, but {there}; "
            "take other files out of data.source.files"
        )
    raise UserError(f"the annotation file {path} is not a COCO file: it is a {type(whole).__name__}, not an object")


def category_names(categories: Sequence[object], path: str) -> Mapping[object, str]:
    """Id → name of the categories; raises `UserError` if one has none, or two have one id."""
    names: dict[object, str] = {}
    for number, category in enumerate(categories, 1):
        if not isinstance(category, dict) or not isinstance(category.get("name"), str):
            raise UserError(f"{path}: category number {number} has no name")
        if twice := repeated_key(category):
            raise UserError(f"{path}: category {category['name']!r} has the key {twice!r} twice; keep one of them")
        key = category.get("id")
        if not isinstance(key, (int, str)):
            raise UserError(f"{path}: category {category['name']!r} has no id")
        if key in names:
            raise UserError(
                f"{path}: the categories {names[key]!r} and {category['name']!r} have the same id {key}; "
                "give each category an id of its own"
            )
        names[key] = category["name"]
    return names


def _key(image: object) -> object:
    key = image.get("id") if isinstance(image, dict) else None
    return key if isinstance(key, (int, str)) else None


def _name(record: object, number: int) -> str:
    key = _key(record)
    return f"image {key}" if key is not None else f"image number {number}"


def _image(
    record: object,
    number: int,
    ids: Mapping[object, int],
    annotations: _Annotations,
    names: Mapping[object, str],
) -> AnnotatedImage:
    """Returns the record of an image; raises `RejectionError` if it is not usable."""
    key = _key(record)
    if not isinstance(record, dict) or key is None:
        raise _bad_image("has no id")
    if twice := repeated_key(record):
        raise _bad_image(f"has the key {twice!r} twice")
    if ids[key] > 1:
        detail = f"has the id {key}, which {ids[key]} images have, so that it is unknown whose the annotations are"
        cause, remedy = "has an id that another image has", "give each image an id of its own"
        raise RejectionError(Reason.AMBIGUOUS_NAME, f"{detail}; {remedy}", cause, remedy)
    file = record.get("file_name")
    if not isinstance(file, str) or not file:
        raise _bad_image("has no file_name")
    shapes = partial(_shapes, image=key, annotations=annotations, names=names)
    return AnnotatedImage(f"image {key}", file, _size(record), annotations.count(key), shapes)


def _bad_image(problem: str) -> RejectionError:
    return RejectionError(Reason.BAD_ROW, problem, f"an image's entry {problem}")


def _size(record: Record) -> Size | None:
    width, height = record.get("width"), record.get("height")
    if width is None and height is None:
        return None
    if type(width) is not int or type(height) is not int or width < 1 or height < 1:
        raise _bad_image(f"has the size {width!r}×{height!r}, which is not a size in pixels")
    return width, height


def _shapes(size: Size, image: object, annotations: _Annotations, names: Mapping[object, str]) -> list[Shape]:
    del size
    return [_shape(annotation, names) for annotation in annotations.of(image)]


def _shape(annotation: Record, names: Mapping[object, str]) -> Shape:
    name = f"annotation {annotation.get('id')}"
    if twice := repeated_key(annotation):
        raise bad_annotation(name, f"has the key {twice!r} twice")
    category = annotation.get("category_id")
    if not isinstance(category, (int, str)) or category not in names:
        raise bad_annotation(name, f"has the category_id {category!r}, which is not among the file's categories")
    crowd = annotation.get("iscrowd") in (1, True)
    return Shape(name, names[category], partial(_geometry, name, annotation.get("segmentation")), crowd)


def _geometry(name: str, segmentation: object) -> Geometry:
    if isinstance(segmentation, dict):
        return _runs(name, segmentation)
    if not isinstance(segmentation, list) or not segmentation:
        remedy = "map its class to skip (data.source.class_map) if boxes are not wanted"
        raise bad_annotation(name, "has no segmentation", remedy)
    return Polygons(tuple(_points(name, part) for part in segmentation))


def _runs(name: str, segmentation: Record) -> ColumnRuns:
    size, counts = segmentation.get("size"), segmentation.get("counts")
    if not isinstance(size, list) or len(size) != 2 or not all(type(side) is int for side in size):
        raise bad_annotation(name, "has a run-length encoding without a size")
    if isinstance(counts, str):
        return ColumnRuns((size[1], size[0]), counts.encode("utf-8", "replace"))
    if isinstance(counts, list):
        return ColumnRuns((size[1], size[0]), counts)
    raise bad_annotation(name, "has a run-length encoding without counts")


def _points(name: str, part: object) -> Points:
    if not isinstance(part, list) or not all(map(is_number, part)):
        raise bad_annotation(name, "has a polygon that is not a list of numbers")
    if len(part) % 2:
        raise bad_annotation(name, f"has a polygon of {len(part)} numbers, which are not pairs of x and y")
    try:
        return np.array(part, np.float64).reshape(-1, 2)
    except OverflowError as error:
        raise bad_annotation(name, "has a coordinate that is not a finite number") from error
