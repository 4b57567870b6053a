"""Reads Label Studio's export (JSON): labelstud.io/guide/export, "Raw JSON format of completed tasks"."""

from __future__ import annotations

import math
import posixpath
import re
import urllib.parse
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from common.errors import UserError
from components.example_gen.annotations.brush_runs import BrushError, decode_brush
from components.example_gen.annotations.document import (
    AnnotatedImage,
    Bitmap,
    Document,
    Geometry,
    Polygons,
    Shape,
    Size,
    UnusableImage,
    bad_annotation,
)
from components.example_gen.annotations.json_file import read_json, repeated_key
from components.example_gen.annotations.outlines import ellipse, read_points, turned
from components.example_gen.quarantine import Reason
from components.example_gen.rejection import RejectionError

_DRAWN = ("brushlabels", "polygonlabels", "rectanglelabels", "ellipselabels")
_OF_THE_WHOLE = ("choices", "textarea", "rating", "number", "datetime", "taxonomy", "pairwise", "relation")
_NO_NUMBERS = "has coordinates that are not numbers"
_PERCENT = 100.0

Record = dict[str, Any]


def read_label_studio(data: bytes, path: str, image_key: str) -> Document:
    """The annotations in an export, with the image's address in `image_key`; raises `UserError` if it is not one."""
    tasks = read_json(data, path)
    if not isinstance(tasks, list):
        raise UserError(
            f"the annotation file {path} is not an export of Label Studio: it is a {type(tasks).__name__}, "
            "not a list of tasks"
        )
    ids = Counter(str(task.get("id")) for task in tasks if isinstance(task, dict))
    images: list[AnnotatedImage] = []
    unusable: list[UnusableImage] = []
    for number, task in enumerate(tasks, 1):
        known = isinstance(task, dict) and task.get("id") is not None
        name = f"task {task['id']}" if known else f"task number {number}"
        try:
            images.append(_image(task, name, ids, image_key))
        except RejectionError as rejected:
            unusable.append(UnusableImage(name, _address(task, image_key), rejected))
    return Document(tuple(images), tuple(unusable))


def _image(task: object, name: str, ids: Counter[str], image_key: str) -> AnnotatedImage:
    if not isinstance(task, dict) or not isinstance(task.get("annotations"), list):
        cause, remedy = "a task has no list 'annotations'", "export as 'JSON', not as 'JSON-MIN' or 'CSV'"
        raise RejectionError(Reason.BAD_ROW, f"has no list 'annotations'; {remedy}", cause, remedy)
    if twice := repeated_key(task):
        raise RejectionError(Reason.BAD_ROW, f"has the key {twice!r} twice", f"a task has the key {twice!r} twice")
    if ids[str(task.get("id"))] > 1:
        cause = "has an id that another task has"
        raise RejectionError(Reason.AMBIGUOUS_NAME, cause, cause, "keep one of them")
    address = _address(task, image_key)
    if address is None:
        keys = ", ".join(task["data"]) if isinstance(task.get("data"), dict) else "nothing"
        cause, remedy = f"has no text data.{image_key}", "set data.source.image_key"
        raise RejectionError(Reason.BAD_ROW, f"{cause}, but {keys}; {remedy}", f"a task {cause}", remedy)
    done = [found for found in task["annotations"] if isinstance(found, dict) and not found.get("was_cancelled")]
    if len(done) > 1:
        detail = f"has {len(done)} annotations, so that it is unknown which one is meant; keep one"
        raise RejectionError(Reason.AMBIGUOUS_NAME, detail, "a task has several annotations", "keep one for each task")
    regions = _regions(done[0].get("result") if done else [])
    file, *others = _files(address)
    return AnnotatedImage(
        name, file, _size(regions), len(regions), partial(_shapes, regions), other_files=tuple(others)
    )


def _address(task: object, image_key: str) -> str | None:
    data = task.get("data") if isinstance(task, dict) else None
    address = data.get(image_key) if isinstance(data, dict) else None
    return address if isinstance(address, str) and address else None


def _files(address: str) -> list[str]:
    """Returns the names under which an image may lie: Label Studio puts uploads and local files behind addresses."""
    if found := re.match(r"/data/local-files/?\?(?:.*&)?d=([^&]+)", address):
        return [urllib.parse.unquote(found[1])]
    if re.match(r"/data/upload/", address):
        name = posixpath.basename(urllib.parse.unquote(address))
        return list(dict.fromkeys([name, re.sub(r"^[0-9a-f]{8}-", "", name)]))
    return [address]


def _regions(result: object) -> list[Record]:
    if not isinstance(result, list) or not all(isinstance(region, dict) for region in result):
        raise RejectionError(Reason.BAD_ROW, "has a result that is not a list", "a task's result is not a list")
    return [region for region in result if region.get("type") not in _OF_THE_WHOLE]


def _size(regions: Sequence[Record]) -> Size | None:
    sizes = {(region.get("original_width"), region.get("original_height")) for region in regions}
    if not sizes:
        return None
    if len(sizes) > 1:
        raise RejectionError(Reason.BAD_ROW, "has regions of several image sizes", "regions of several image sizes")
    [(width, height)] = sizes
    if type(width) is not int or type(height) is not int:
        raise RejectionError(Reason.BAD_ROW, "has regions without original_width", "a region without a size")
    return width, height


def _shapes(regions: Sequence[Record], size: Size) -> list[Shape]:
    return [_shape(region, size) for region in regions]


def _shape(region: Record, size: Size) -> Shape:
    name = f"region {region.get('id')}"
    if twice := repeated_key(region):
        raise bad_annotation(name, f"has the key {twice!r} twice")
    kind, value = region.get("type"), region.get("value")
    labels = value.get(kind) if isinstance(value, dict) and isinstance(kind, str) else None
    if not isinstance(labels, list) or len(labels) != 1 or not isinstance(labels[0], str):
        raise bad_annotation(name, f"of the type {kind!r} does not have one label")
    return Shape(name, labels[0], partial(_geometry, name, region, size))


def _geometry(name: str, region: Record, size: Size) -> Geometry:
    kind, value = region["type"], region["value"]
    if kind not in _DRAWN:
        remedy = "map its label to skip (data.source.class_map) or paint it with the brush"
        raise bad_annotation(name, f"is of the type {kind!r}, which is not read", remedy)
    if region.get("image_rotation") not in (None, 0):
        raise bad_annotation(name, f"was drawn on the image turned by {region['image_rotation']} degrees")
    if kind == "brushlabels":
        return _brush(name, value, size)
    scale_2 = np.array(size, np.float64) / _PERCENT
    if kind == "polygonlabels":
        return Polygons((read_points(name, value.get("points"), _NO_NUMBERS) * scale_2,))
    keys = ("x", "y", "width", "height") if kind == "rectanglelabels" else ("x", "y", "radiusX", "radiusY")
    x, y, across, down, rotation = read_points(
        name, [[value.get(key), 0] for key in keys] + [[value.get("rotation", 0), 0]], _NO_NUMBERS
    )[:, 0]
    outline_N2 = _rectangle(across, down) if kind == "rectanglelabels" else ellipse(across, down)
    return Polygons((_turned(outline_N2 * scale_2, rotation) + np.array([x, y]) * scale_2,))


def _brush(name: str, value: Record, size: Size) -> Bitmap:
    runs = value.get("rle")
    if value.get("format") != "rle" or not isinstance(runs, list):
        raise bad_annotation(name, f"has a brush of the format {value.get('format')!r}, not 'rle'")
    try:
        return Bitmap(0, 0, decode_brush(bytes(runs), *size))
    except BrushError as error:
        raise bad_annotation(name, str(error)) from error
    except (TypeError, ValueError) as error:
        raise bad_annotation(name, "has a brush that is not a list of bytes") from error


def _rectangle(across: float, down: float) -> np.ndarray:
    return np.array([[0, 0], [across, 0], [across, down], [0, down]])


def _turned(points_N2: np.ndarray, degrees: float) -> np.ndarray:
    return turned(points_N2, degrees) if math.isfinite(degrees) else points_N2 * np.nan
