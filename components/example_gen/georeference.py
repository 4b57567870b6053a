"""Georeference of a TIFF file, from its GeoTIFF tags (OGC 19-008r4), read by tifffile.

World files and `.aux.xml` beside a file are not read.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tifffile

from common.orientation import ORIENTATION_TAG, UPRIGHT
from components.example_gen.quarantine import Reason
from components.example_gen.rejection import RejectionError

_SCALE, _TIE_POINTS, _TRANSFORMATION, _GEO_KEYS = 33550, 33922, 34264, 34735
_RASTER_TYPE, _GEOGRAPHIC, _PROJECTED = 1025, 2048, 3072
_PIXEL_IS_POINT, _USER_DEFINED = 2, 32767
_TIE_POINT_NUMBERS, _KEY_NUMBERS = 6, 4
_MOST_APART = 0.5


class Georeference(NamedTuple):
    """Position of an image on a map."""

    affine_23: npt.NDArray[np.float64] | None
    """Map x and y of a pixel's corner: [[a, b, c], [d, e, f]] · [column, row, 1]; None without one."""
    size_2: tuple[int, int]
    """Width and height in pixels."""
    code: int | None
    """EPSG code of the coordinate reference system; None if it has none, or is user-defined."""


def read_georeference(data: bytes) -> Georeference | None:
    """Returns the georeference of a file's bytes; None if it is not a TIFF, has no such tags, or cannot be read."""
    if data[:2] not in (b"II", b"MM"):
        return None
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as tiff:
            return _georeference(tiff)
    except Exception:  # noqa: BLE001  # A parser may raise anything; the decoder reports damage.
        return None


def check_same_place(image: bytes, mask: bytes) -> None:
    """Raises `RejectionError` if image and mask have georeferences whose corners differ by more than half a pixel.

    Nothing is compared if one of them has none.
    """
    own, other = read_georeference(image), read_georeference(mask)
    if own is None or other is None:
        return
    remedy = "warp the mask to the image's grid, for example with gdalwarp -t_srs, -te and -ts"
    if own.code is not None and other.code is not None and own.code != other.code:
        cause = "image and mask have different coordinate reference systems"
        detail = f"the image is in EPSG:{own.code} and the mask in EPSG:{other.code}; {remedy}"
        raise RejectionError(Reason.GEOREFERENCE_MISMATCH, detail, cause, remedy)
    if own.affine_23 is None or other.affine_23 is None:
        return
    apart = _pixels_apart(own, other)
    if not apart <= _MOST_APART:
        cause = "image and mask lie at different places of the map"
        detail = f"the mask's corners lie up to {apart:.4g} pixels of the image away from the image's; {remedy}"
        raise RejectionError(Reason.GEOREFERENCE_MISMATCH, detail, cause, remedy)


def is_geotiff(path: Path) -> bool:
    """Whether a file is a TIFF with GeoTIFF tags; a file that cannot be read is not."""
    try:
        with path.open("rb") as file:
            if file.read(2) not in (b"II", b"MM"):
                return False
        with tifffile.TiffFile(path) as tiff:
            return _has_tags(tiff.pages.first.tags)
    except Exception:  # noqa: BLE001  # As above.
        return False


def file_orientation(path: Path) -> int:
    """Returns the orientation tag of a TIFF file's first image; 1, upright, without it."""
    with tifffile.TiffFile(path) as tiff:
        tag = tiff.pages.first.tags.get(ORIENTATION_TAG)
        return int(tag.value) if tag else UPRIGHT


def _pixels_apart(own: Georeference, other: Georeference) -> float:
    """Returns the largest distance of the corners along an axis, in pixels of `own`; infinite if those have no area."""
    assert own.affine_23 is not None
    difference_24 = _corners(other) - _corners(own)
    if not np.linalg.det(own.affine_23[:, :2]):
        return np.inf
    return float(np.abs(np.linalg.solve(own.affine_23[:, :2], difference_24)).max())


def _corners(georeference: Georeference) -> npt.NDArray[np.float64]:
    """Map coordinates [2, 4] of the corners of the image."""
    width, height = georeference.size_2
    assert georeference.affine_23 is not None
    return np.asarray(georeference.affine_23 @ np.array([[0, width, 0, width], [0, 0, height, height], [1, 1, 1, 1]]))


def _has_tags(tags: Any) -> bool:
    return any(tag in tags for tag in (_SCALE, _TIE_POINTS, _TRANSFORMATION, _GEO_KEYS))


def _georeference(tiff: tifffile.TiffFile) -> Georeference | None:
    tags = tiff.pages.first.tags
    if not _has_tags(tags):
        return None
    keys = _geo_keys(_numbers(tags, _GEO_KEYS))
    affine_23 = _affine(tags)
    if affine_23 is not None and keys.get(_RASTER_TYPE) == _PIXEL_IS_POINT:
        affine_23[:, 2] -= affine_23[:, :2].sum(axis=1) / 2  # The point is the pixel's centre.
    code = keys.get(_PROJECTED, keys.get(_GEOGRAPHIC))
    size_2 = (tiff.pages.first.imagewidth, tiff.pages.first.imagelength)
    return Georeference(affine_23, size_2, None if code in (None, 0, _USER_DEFINED) else code)


def _affine(tags: Any) -> npt.NDArray[np.float64] | None:
    matrix = _numbers(tags, _TRANSFORMATION)
    if len(matrix) == 16:
        return matrix.reshape(4, 4)[:2][:, [0, 1, 3]].copy()
    scale, tie = _numbers(tags, _SCALE), _numbers(tags, _TIE_POINTS)
    if len(scale) < 2 or len(tie) != _TIE_POINT_NUMBERS:
        return None
    column, row, _, x, y, _ = tie
    return np.array([[scale[0], 0, x - column * scale[0]], [0, -scale[1], y + row * scale[1]]])


def _geo_keys(directory: npt.NDArray[np.float64]) -> dict[int, int]:
    """Returns the keys whose value is in the directory itself."""
    entries = directory[_KEY_NUMBERS : len(directory) // _KEY_NUMBERS * _KEY_NUMBERS].reshape(-1, _KEY_NUMBERS)
    return {int(key): int(value) for key, place, _, value in entries if place == 0}


def _numbers(tags: Any, tag: int) -> npt.NDArray[np.float64]:
    found = tags.get(tag)
    return np.atleast_1d(np.array(found.value if found else [], np.float64))
