"""Reads COCO's annotation files (instances): cocodataset.org/#format-data."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
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
from components.example_gen.annotations.json_file import is_number, read_json, repeated_key
from components.example_gen.quarantine import Reason
from components.example_gen.rejection import RejectionError

Record = dict[str, Any]


def read_coco(data: bytes, path: str) -> Document:
    """The annotations in a COCO file; raises `UserError` if it is not one."""
    whole = require_coco(read_json(data, path), path)
    names = category_names(whole["categories"], path)
    owned: defaultdict[object, list[Record]] = defaultdict(list)
    strange = 0
    for annotation in whole["annotations"]:
        if isinstance(annotation, dict) and isinstance(annotation.get("image_id"), (int, str)):
            owned[annotation["image_id"]].append(annotation)
        else:
            strange += 1
    ids = Counter(_key(image) for image in whole["images"])
    images: list[AnnotatedImage] = []
    unusable: list[UnusableImage] = []
    for number, record in enumerate(whole["images"], 1):
        try:
            images.append(_image(record, number, ids, owned, names))
        except RejectionError as rejected:
            file = record.get("file_name") if isinstance(record, dict) else None
            unusable.append(UnusableImage(_name(record, number), file if isinstance(file, str) else None, rejected))
    notes = _notes(path, whole["annotations"], owned, ids, strange)
    return Document(tuple(images), tuple(unusable), notes)


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
    owned: Mapping[object, list[Record]],
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
    annotations = owned.get(key, [])
    return AnnotatedImage(
        f"image {key}", file, _size(record), len(annotations), partial(_shapes, annotations=annotations, names=names)
    )


def _bad_image(problem: str) -> RejectionError:
    return RejectionError(Reason.BAD_ROW, problem, f"an image's entry {problem}")


def _size(record: Record) -> Size | None:
    width, height = record.get("width"), record.get("height")
    if width is None and height is None:
        return None
    if type(width) is not int or type(height) is not int or width < 1 or height < 1:
        raise _bad_image(f"has the size {width!r}×{height!r}, which is not a size in pixels")
    return width, height


def _shapes(size: Size, annotations: Sequence[Record], names: Mapping[object, str]) -> list[Shape]:
    del size
    return [_shape(annotation, names) for annotation in annotations]


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


def _notes(
    path: str,
    annotations: Sequence[object],
    owned: Mapping[object, Sequence[Record]],
    ids: Mapping[object, int],
    strange: int,
) -> tuple[str, ...]:
    """Sentences on annotations that belong to no image, and on ids that occur twice, which do no harm."""
    homeless = [record for key, records in owned.items() if key not in ids for record in records]
    counts = Counter(
        record["id"] for record in annotations if isinstance(record, dict) and isinstance(record.get("id"), (int, str))
    )
    twice = [key for key, count in counts.items() if count > 1]
    notes = []
    if homeless:
        first = homeless[0].get("id")
        notes.append(
            f"{path}: annotations of images that it does not list: {len(homeless)}, such as annotation {first}"
        )
    if strange:
        notes.append(f"{path}: entries among the annotations that name no image: {strange}")
    if twice:
        notes.append(f"{path}: annotation ids that occur more than once: {len(twice)}, such as {twice[0]}")
    return tuple(notes)
