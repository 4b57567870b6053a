"""Source of pairs from LabelMe's files: one JSON file beside each image."""

from __future__ import annotations

import base64
import binascii
import math
import posixpath
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from common.errors import UserError
from components.example_gen.annotations.config import LabelmeSource
from components.example_gen.annotations.document import Bitmap, Geometry, Points, Polygons, Shape, Size, bad_annotation
from components.example_gen.annotations.drawn_pairs import DrawnPairs
from components.example_gen.annotations.files_by_name import list_by_name, refused_file
from components.example_gen.annotations.json_file import read_json, repeated_key
from components.example_gen.annotations.masks import annotated_mask
from components.example_gen.annotations.outlines import read_points
from components.example_gen.annotations.unannotated import is_no_mask, no_mask, unannotated
from components.example_gen.files import FileInfo
from components.example_gen.fingerprint import fingerprint_of
from components.example_gen.headers import open_image
from components.example_gen.lazy_pair import read_limited
from components.example_gen.pairing import Listing, Pair
from components.example_gen.quarantine import Reason
from components.example_gen.rejection import RejectionError

_IMAGE, _ANNOTATION = "image", "annotation file"
_EMBEDDED = 4  # An annotation file may contain its image as text, so it may be some times as large.
_MOST_CORNERS = 720  # Of a circle.

Record = dict[str, Any]


class LabelmePairs(DrawnPairs):
    """Images, each with its annotation file, paired by name."""

    def listing(self) -> Listing:
        """See `PairSource.listing`."""
        assert isinstance(self._settings, LabelmeSource)
        wanted = {_IMAGE: self._settings.images, _ANNOTATION: self._settings.annotations}
        found = list_by_name(self._folder, wanted, (".json",))
        images, annotations = found.kinds[_IMAGE], found.kinds[_ANNOTATION]
        pairs: list[Pair] = []
        quarantined = [refused_file(info) for info in found.problems]
        for name in sorted({*images, *annotations}):
            of_name = images.get(name, []), annotations.get(name, [])
            try:
                pairs.append(self._pair(name, *of_name))
            except RejectionError as rejected:
                image, annotation = (next((info.path for info in infos), None) for infos in of_name)
                quarantined.append(rejected.entry(name, image, annotation))
        if not pairs:
            first = "; ".join(f"{entry.id}: {entry.detail}" for entry in quarantined[:1])
            raise UserError(f"no image can be paired with an annotation file of its name; the first: {first}")
        return Listing(tuple(pairs), tuple(quarantined), found.ignored_files, fingerprint_of(found.files))

    def _pair(self, name: str, images: Sequence[FileInfo], annotations: Sequence[FileInfo]) -> Pair:
        """Returns the pair of a name; raises `RejectionError` if it cannot be used."""
        for kind, infos in (("images", images), ("annotation files", annotations)):
            if len(infos) > 1:
                detail = f"is the name of {len(infos)} {kind}: {', '.join(info.path for info in infos)}"
                raise RejectionError(Reason.AMBIGUOUS_NAME, detail, f"several {kind} have one name")
        for info in (*images, *annotations):
            if info.problem:
                raise RejectionError(*info.problem)
        if not images:
            cause = "no image has the name of the annotation file"
            raise RejectionError(Reason.MISSING_IMAGE, f"no image is named {name!r}", cause)
        [image] = images
        if annotations:
            [file] = annotations
            return Pair(name, image.path, file.path, image_bytes=image.size, mask_bytes=file.size)
        if self._settings.unannotated == "quarantine":
            raise unannotated()
        return Pair(name, image.path, no_mask(image.path), image_bytes=image.size)

    def _mask(self, pair: Pair, image: Callable[[], bytes], max_bytes: int) -> bytes:
        if is_no_mask(pair.mask):
            return annotated_mask(image(), None, lambda _: (), self._drawing, self._max_pixels)
        data = read_limited(self._folder, pair.mask, pair.mask_bytes, _EMBEDDED * max_bytes)
        try:
            record = read_json(data, pair.mask)
        except UserError as error:
            raise RejectionError(Reason.UNREADABLE, str(error)) from error
        if not isinstance(record, dict) or not isinstance(record.get("shapes"), list):
            cause = "the file is not an annotation file of LabelMe: it has no list 'shapes'"
            raise RejectionError(Reason.UNREADABLE, cause, cause)
        if twice := repeated_key(record):
            raise bad_annotation("the file", f"has the key {twice!r} twice")
        _check_image(record.get("imagePath"), pair.image)
        if not record["shapes"] and self._settings.unannotated == "quarantine":
            raise unannotated()
        shapes = partial(_shapes, record["shapes"], self._max_pixels)
        return annotated_mask(image(), _size(record), lambda _: shapes(), self._drawing, self._max_pixels)


def _check_image(written: object, image: str) -> None:
    """Raises `RejectionError` if an annotation file names another image than the one of its name.

    Only the last part of the path is compared, which LabelMe writes as on the machine where it ran; nothing is read
    from there.
    """
    if not isinstance(written, str) or not written:
        return
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", written):
        raise RejectionError(Reason.OUTSIDE_ROOT, f"imagePath {written!r} is a URL", "imagePath is a URL")
    named, here = (posixpath.splitext(re.split(r"[/\\]", path)[-1])[0].casefold() for path in (written, image))
    if named != here:
        cause, remedy = "imagePath names another image", "give the file the name of its image"
        detail = f"imagePath is {written!r}, but the file has the name of {image}; {remedy}"
        raise RejectionError(Reason.AMBIGUOUS_NAME, detail, cause, remedy)


def _size(record: Record) -> Size | None:
    width, height = record.get("imageWidth"), record.get("imageHeight")
    if width is None and height is None:
        return None
    if type(width) is not int or type(height) is not int:
        raise bad_annotation("the file", f"has the size {width!r}×{height!r}, which is not a size in pixels")
    return width, height


def _shapes(records: Sequence[object], max_pixels: int) -> list[Shape]:
    return [_shape(record, f"shape {number}", max_pixels) for number, record in enumerate(records, 1)]


def _shape(record: object, name: str, max_pixels: int) -> Shape:
    if not isinstance(record, dict) or not isinstance(record.get("label"), str):
        raise bad_annotation(name, "has no label")
    if twice := repeated_key(record):
        raise bad_annotation(name, f"has the key {twice!r} twice")
    return Shape(name, record["label"], partial(_geometry, name, record, max_pixels))


def _geometry(name: str, record: Record, max_pixels: int) -> Geometry:
    points_N2 = read_points(name, record.get("points"), "has points that are not pairs of x and y")
    if not np.isfinite(points_N2).all():
        raise bad_annotation(name, "has a coordinate that is not a finite number")
    kind = record.get("shape_type") or "polygon"
    if kind == "polygon":
        return Polygons((points_N2,))
    if kind not in ("rectangle", "circle", "mask"):
        remedy = "map its label to skip (data.source.class_map) or draw it as a polygon"
        raise bad_annotation(name, f"is of the type {kind!r}, which has no area", remedy)
    if len(points_N2) != 2:
        raise bad_annotation(name, f"is of the type {kind!r} and has {len(points_N2)} points instead of two")
    if kind == "rectangle":
        (left, top), (right, bottom) = points_N2
        return Polygons((np.array([[left, top], [right, top], [right, bottom], [left, bottom]]),))
    return _circle(points_N2) if kind == "circle" else _bitmap(name, record.get("mask"), points_N2, max_pixels)


def _circle(points_N2: Points) -> Polygons:
    """The circle around the first point through the second."""
    radius = float(np.hypot(*(points_N2[1] - points_N2[0])))
    corners = min(_MOST_CORNERS, max(12, math.ceil(4 * radius)))
    angles_N = np.arange(corners) * 2 * np.pi / corners
    return Polygons((points_N2[0] + radius * np.stack([np.cos(angles_N), np.sin(angles_N)], axis=1),))


def _bitmap(name: str, text: object, points_N2: Points, max_pixels: int) -> Bitmap:
    """The mask that a file contains as a PNG in base64, between the two points."""
    if not isinstance(text, str):
        raise bad_annotation(name, "is of the type 'mask' and has no mask")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise bad_annotation(name, f"has a mask that is not base64: {error}") from error
    try:
        pixels_HW = np.asarray(open_image(data, max_pixels).decode().convert("L"))
    except RejectionError as rejected:
        raise rejected.within(f"{name}:") from rejected
    left, top = (int(side) for side in points_N2[0])
    return Bitmap(left, top, pixels_HW > 0)
