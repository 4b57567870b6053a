"""Polygons of the regions in a georeferenced mask, in map coordinates.

GDAL's polygoniser holds all polygons at once, so a mask whose regions have too many corners is refused first.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from common.records import VOID
from pipeline.scene.geo_extra import CACHE_MEGABYTES, geo_package
from serving.errors import FailedPictureError

MAX_CORNERS = 2_000_000
"""GDAL takes up to 430 bytes for each corner: of single pixels, as a mask of noise has them."""

_ROWS = 512

Ring = npt.NDArray[np.float64]


class Region(NamedTuple):
    """Pixels of one class that are joined by edges."""

    class_index: int
    pixels: int
    rings: list[Ring]
    """Corners [N, 2], closed: the outline, then the holes; in map coordinates."""


def check_corners(mask: Path) -> None:
    """Raises `FailedPictureError` if the regions of a mask have more corners than `MAX_CORNERS`."""
    corners = count_corners(mask)
    if corners > MAX_CORNERS:
        raise FailedPictureError(
            f"{mask}: its regions have {corners} corners, and polygons are made of up to {MAX_CORNERS}; "
            "cut the mask, or remove small regions, for example with `gdal_sieve.py`"
        )


def count_corners(mask: Path) -> int:
    """Counts the points between four pixels where an outline turns, by windows."""
    rasterio, windows = geo_package("rasterio", "polygons"), geo_package("rasterio.windows", "polygons")
    corners = 0
    with rasterio.Env(GDAL_CACHEMAX=CACHE_MEGABYTES), rasterio.open(mask) as dataset:
        above_1W = np.full([1, dataset.width + 2], VOID, np.uint8)
        for top in range(0, dataset.height, _ROWS):
            rows = min(_ROWS, dataset.height - top)
            class_HW = dataset.read(1, window=windows.Window(0, top, dataset.width, rows))
            padded_HW = np.pad(class_HW, [(0, 0), (1, 1)], constant_values=VOID)
            corners += _corners(np.concatenate([above_1W, padded_HW]))
            above_1W = padded_HW[-1:]
        return corners + _corners(np.concatenate([above_1W, np.full_like(above_1W, VOID)]))


def regions(mask: Path) -> Iterator[Region]:
    """Yields the regions of a mask; pixels of the first class count as background, and void has no region."""
    rasterio, features = geo_package("rasterio", "polygons"), geo_package("rasterio.features", "polygons")
    with rasterio.Env(GDAL_CACHEMAX=CACHE_MEGABYTES), rasterio.open(mask) as dataset:
        pixel_area = abs(dataset.transform.determinant)
        for shape, value in features.shapes(rasterio.band(dataset, 1)):
            if int(value) not in (0, VOID):
                rings = [np.array(ring, np.float64) for ring in shape["coordinates"]]
                area = abs(signed_area(rings[0])) - sum(abs(signed_area(hole)) for hole in rings[1:])
                yield Region(int(value), round(area / pixel_area), rings)


def signed_area(ring_N2: Ring) -> float:
    """Returns the area of a closed ring, positive if it runs counter-clockwise where y points up (shoelace formula)."""
    x_N, y_N = (ring_N2 - ring_N2[0]).T
    return float(np.dot(x_N[:-1], y_N[1:]) - np.dot(x_N[1:], y_N[:-1])) / 2


def mask_crs(mask: Path) -> Any:
    """Returns the coordinate reference system of a mask; None if it has none."""
    with geo_package("rasterio", "polygons").open(mask) as dataset:
        return dataset.crs


def _corners(class_HW: npt.NDArray[np.uint8]) -> int:
    a, b, c, d = class_HW[:-1, :-1], class_HW[:-1, 1:], class_HW[1:, :-1], class_HW[1:, 1:]
    return int(np.count_nonzero(((a != b) | (c != d)) & ((a != c) | (b != d))))
