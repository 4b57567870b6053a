"""Rasterises geometries with pycocotools, and draws them over each other as one mask.

pycocotools trusts its input: a coordinate that is not finite, or far away, or runs that do not add up, make it allocate
any amount of memory.  So everything is checked before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco_mask

from common.records import VOID
from components.example_gen.annotations.document import Bitmap, ColumnRuns, Geometry, Points, Polygons, Size
from components.example_gen.annotations.run_lengths import expand, total

Mask = npt.NDArray[np.uint8]
Encoded = dict[str, Any]
"""A run-length encoding as pycocotools holds it."""

_FARTHEST = 10  # Sides of the image; a point that is farther away is a mistake.
_LONGEST_OUTLINE = 2_000_000  # Pixels; pycocotools takes some 100 bytes for each.


class GeometryError(ValueError):
    """A geometry does not fit its image; the message continues `annotation 17 …`."""


class Drawn(NamedTuple):
    """An annotation that is ready to be drawn."""

    encoded: Encoded
    value: int
    """Class, or void."""
    rank: tuple[int, ...]
    """Lower ranks are drawn first."""


def encode(geometry: Geometry, size: Size) -> Encoded:
    """Rasterises a geometry in an image of `size`; raises `GeometryError` if it does not fit it."""
    if isinstance(geometry, Polygons):
        return _union([_polygon(points, size) for points in _checked(geometry, size)])
    if isinstance(geometry, ColumnRuns):
        return _runs(geometry, size)
    return _bitmap(geometry, size)


def decode(encoded: Encoded) -> npt.NDArray[np.bool_]:
    """The pixels [H, W] of an encoding."""
    decoded: npt.NDArray[np.bool_] = coco_mask.decode(encoded).astype(bool)
    return decoded


def draw(shapes: Iterable[Drawn], size: Size, background: int, overlap: str) -> Mask:
    """The mask of all `shapes`.

    Args:
      shapes: The annotations in the order of their file.
      size: Width and height of the image.
      background: Value of the pixels that none covers.
      overlap: Which annotation of one rank has the pixels that two cover: `later`, `larger`, `smaller`, or `void`.
    """
    mask_HW = np.full((size[1], size[0]), background, np.uint8)
    for _, level in groupby(sorted(shapes, key=lambda shape: shape.rank), key=lambda shape: shape.rank):
        if overlap == "void":
            _draw_conflicts(mask_HW, list(level))
        else:
            _paint(mask_HW, _ordered(list(level), overlap))
    return mask_HW


def _ordered(shapes: list[Drawn], overlap: str) -> list[Drawn]:
    if overlap == "later":
        return shapes
    sign = 1 if overlap == "larger" else -1
    return sorted(shapes, key=lambda shape: sign * int(coco_mask.area(shape.encoded)))


def _paint(mask_HW: Mask, shapes: Iterable[Drawn]) -> None:
    for value, same in groupby(shapes, key=lambda shape: shape.value):
        mask_HW[_covered(same)] = value


def _draw_conflicts(mask_HW: Mask, shapes: Sequence[Drawn]) -> None:
    """Draws shapes whose pixels become void where shapes of two values meet."""
    taken_HW = np.zeros(mask_HW.shape, bool)
    for value in sorted({shape.value for shape in shapes}):
        covered_HW = _covered(shape for shape in shapes if shape.value == value)
        mask_HW[covered_HW] = value
        mask_HW[covered_HW & taken_HW] = VOID
        taken_HW |= covered_HW


def _covered(shapes: Iterable[Drawn]) -> npt.NDArray[np.bool_]:
    return decode(coco_mask.merge([shape.encoded for shape in shapes]))


def _checked(polygons: Polygons, size: Size) -> Iterable[Points]:
    """Returns the rings; raises `GeometryError` if one cannot be rasterised or all lie outside the image."""
    if not polygons.rings:
        raise GeometryError("has no polygon")
    for points in polygons.rings:
        _check_ring(points, size)
    if not any(_meets(points, size) for points in polygons.rings):
        x, y = polygons.rings[0][0]
        raise GeometryError(f"lies outside the image of {size[0]}×{size[1]} pixels: it begins at ({x:g}, {y:g})")
    return polygons.rings


def _check_ring(points: Points, size: Size) -> None:
    if len(points) < 3:
        raise GeometryError(f"has a polygon of {len(points)} points; it needs three")
    if not np.isfinite(points).all():
        raise GeometryError("has a coordinate that is not a finite number")
    if np.abs(points).max() > _FARTHEST * max(size):
        farthest = points.flat[np.abs(points).argmax()]
        raise GeometryError(f"has the coordinate {farthest:g}, far outside the image of {size[0]}×{size[1]} pixels")
    length = np.abs(points - np.roll(points, 1, axis=0)).max(axis=1).sum()
    if length > _LONGEST_OUTLINE:
        raise GeometryError(f"has an outline of {length:.0f} pixels, over the limit of {_LONGEST_OUTLINE}")


def _meets(points: Points, size: Size) -> bool:
    return bool((points.max(axis=0) >= 0).all() and (points.min(axis=0) <= np.array(size)).all())


def _polygon(points: Points, size: Size) -> Encoded:
    [encoded] = coco_mask.frPyObjects([points.ravel().tolist()], size[1], size[0])
    found: Encoded = encoded
    return found


def _union(parts: Sequence[Encoded]) -> Encoded:
    merged: Encoded = parts[0] if len(parts) == 1 else coco_mask.merge(list(parts))
    return merged


def _runs(runs: ColumnRuns, size: Size) -> Encoded:
    width, height = size
    if runs.size != size:
        raise GeometryError(f"is encoded for {runs.size[0]}×{runs.size[1]} pixels, but the image has {width}×{height}")
    try:
        counts = expand(runs.counts) if isinstance(runs.counts, bytes) else runs.counts
        pixels = total(counts)
    except ValueError as error:
        raise GeometryError(str(error)) from error
    if pixels != width * height:
        raise GeometryError(f"has runs of {pixels} pixels in all, but the image has {width * height}")
    encoded: Encoded = coco_mask.frPyObjects({"size": [height, width], "counts": list(counts)}, height, width)
    return encoded


def _bitmap(bitmap: Bitmap, size: Size) -> Encoded:
    width, height = size
    rows, columns = bitmap.is_set_HW.shape
    if bitmap.left >= width or bitmap.top >= height or bitmap.left + columns <= 0 or bitmap.top + rows <= 0:
        raise GeometryError(
            f"lies outside the image of {width}×{height} pixels: it begins at ({bitmap.left}, {bitmap.top})"
        )
    canvas_HW = np.zeros((height, width), np.uint8, order="F")
    left, top = max(0, -bitmap.left), max(0, -bitmap.top)
    inside_HW = bitmap.is_set_HW[top : height - bitmap.top, left : width - bitmap.left]
    y, x = bitmap.top + top, bitmap.left + left
    canvas_HW[y : y + inside_HW.shape[0], x : x + inside_HW.shape[1]] = inside_HW
    encoded: Encoded = coco_mask.encode(canvas_HW)
    return encoded
