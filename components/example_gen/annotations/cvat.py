"""Reads CVAT's files of images (version 1.1, XML): docs.cvat.ai, "CVAT for image"."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

import numpy as np

from common.errors import UserError
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
from components.example_gen.annotations.outlines import ellipse, turned
from components.example_gen.quarantine import Reason
from components.example_gen.rejection import RejectionError

_DRAWN = ("polygon", "mask", "box", "ellipse")
_IGNORED = ("tag",)


def read_cvat(data: bytes, path: str) -> Document:
    """The annotations in a file of CVAT; raises `UserError` if it is not one for images."""
    root = _parse(data, path)
    if root.tag != "annotations":
        raise UserError(f"the annotation file {path} is not one of CVAT: its root is <{root.tag}>, not <annotations>")
    if root.find("track") is not None:
        raise UserError(f"the annotation file {path} is for a video; export the task as 'CVAT for images 1.1'")
    images: list[AnnotatedImage] = []
    unusable: list[UnusableImage] = []
    seen: dict[str, int] = {}
    for number, element in enumerate(root.findall("image"), 1):
        name = f"image {element.get('id', f'number {number}')}"
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:  # Several tasks in one file number their images from 0.
            name = f"{name} ({seen[name]})"
        try:
            images.append(_image(element, name))
        except RejectionError as rejected:
            unusable.append(UnusableImage(name, element.get("name"), rejected))
    return Document(tuple(images), tuple(unusable))


def _parse(data: bytes, path: str) -> Element:
    """Returns the root of an XML file; a document type is refused, because its entities may grow without end."""
    builder = TreeBuilder()
    parser = expat.ParserCreate()
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data

    def refuse(*_: object) -> None:
        raise UserError(f"the annotation file {path} has a document type (<!DOCTYPE …>); take it out")

    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise UserError(f"the annotation file {path} is not XML: {error}") from error
    root: Element = builder.close()
    return root


def _image(element: Element, name: str) -> AnnotatedImage:
    file = element.get("name")
    if not file:
        raise RejectionError(Reason.BAD_ROW, "has no name", "an image's entry has no name")
    try:
        size = int(element.get("width", "")), int(element.get("height", ""))
    except ValueError as error:
        written = f"{element.get('width')}×{element.get('height')}"
        raise RejectionError(
            Reason.BAD_ROW, f"has the size {written}, which is not a size in pixels", "an image's entry has no size"
        ) from error
    shapes = [child for child in element if child.tag not in _IGNORED]
    return AnnotatedImage(name, file, size, len(shapes), partial(_shapes, shapes))


def _shapes(elements: Sequence[Element], size: Size) -> list[Shape]:
    return [_shape(element, f"{element.tag} {number}", size) for number, element in enumerate(elements, 1)]


def _shape(element: Element, name: str, size: Size) -> Shape:
    label = element.get("label")
    if label is None:
        raise bad_annotation(name, "has no label")
    try:
        layer = int(element.get("z_order", "0"))
    except ValueError as error:
        raise bad_annotation(name, "has a z_order that is not a number") from error
    return Shape(name, label, partial(_geometry, element, name, size), layer=layer)


def _geometry(element: Element, name: str, size: Size) -> Geometry:
    if element.tag not in _DRAWN:
        remedy = "map its label to skip (data.source.class_map) or draw it as a polygon"
        raise bad_annotation(name, f"is of the type {element.tag!r}, which has no area", remedy)
    try:
        if element.tag == "polygon":
            return _polygon(element)
        if element.tag == "mask":
            return _mask(element, name, size)
        return _box(element) if element.tag == "box" else _ellipse(element)
    except ValueError as error:
        raise bad_annotation(name, f"has attributes that are not numbers: {error}") from error


def _polygon(element: Element) -> Polygons:
    pairs = [point.split(",") for point in element.get("points", "").split(";") if point.strip()]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError("points")
    return Polygons((np.array([[float(x), float(y)] for x, y in pairs], np.float64).reshape(-1, 2),))


def _box(element: Element) -> Polygons:
    left, top, right, bottom = (float(element.get(name, "")) for name in ("xtl", "ytl", "xbr", "ybr"))
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    return Polygons((_turned(corners, element),))


def _ellipse(element: Element) -> Polygons:
    x, y, across, down = (float(element.get(name, "")) for name in ("cx", "cy", "rx", "ry"))
    return Polygons((_turned(ellipse(across, down) + np.array([x, y]), element),))


def _turned(points_N2: np.ndarray, element: Element) -> np.ndarray:
    """Returns the points turned clockwise about their centre by the element's degrees."""
    degrees = float(element.get("rotation", "0"))
    if not degrees:
        return points_N2
    centre = (points_N2.min(axis=0) + points_N2.max(axis=0)) / 2
    return turned(points_N2 - centre, degrees) + centre


def _mask(element: Element, name: str, size: Size) -> Bitmap:
    """A window whose runs of 0 and 1 go along its rows."""
    left, top, width, height = (int(element.get(key, "")) for key in ("left", "top", "width", "height"))
    counts = [int(count) for count in element.get("rle", "").split(",")]
    if not (0 < width <= size[0] and 0 < height <= size[1]):
        raise bad_annotation(name, f"has a window of {width}×{height} pixels in an image of {size[0]}×{size[1]}")
    if min(counts) < 0 or sum(counts) != width * height:
        raise bad_annotation(name, f"has runs of {sum(counts)} pixels in a window of {width}×{height}")
    is_set_N = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return Bitmap(left, top, is_set_N.reshape(height, width))
