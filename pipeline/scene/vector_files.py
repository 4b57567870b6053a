"""Polygons as GeoJSON (RFC 7946) and GeoPackage (OGC 12-128r15), written region by region."""

from __future__ import annotations

import itertools
import json
import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.scene.geo_extra import geo_package
from pipeline.scene.polygons import Region, Ring, signed_area

FORMATS = {"geojson": ".geojson", "gpkg": ".gpkg"}
"""Format of `segpipe predict` → suffix of its file."""

_WGS84 = "OGC:CRS84"
_DIGITS = 8  # Of a degree: a millimetre.
_HALF_TURN = 180.0
_AT_ONCE = 10_000
_WKB_POLYGON = 3


def write_geojson(path: Path, found: Iterable[Region], class_names: Sequence[str], crs: Any) -> None:
    """Writes polygons in longitude and latitude of WGS 84, transformed from `crs`."""
    separator = "\n"
    with path.open("w", encoding="utf-8") as file:
        file.write('{"type": "FeatureCollection", "features": [')
        for region in found:
            feature = {
                "type": "Feature",
                "properties": _properties(region, class_names),
                "geometry": _wgs84_geometry(region.rings, crs),
            }
            file.write(separator + json.dumps(feature, ensure_ascii=False))
            separator = ",\n"
        file.write("\n]}\n")


def write_geopackage(path: Path, found: Iterable[Region], class_names: Sequence[str], crs: Any) -> None:
    """Writes a layer `classes` of polygons in `crs`, which may be None; 10 000 of them at a time."""
    raw = geo_package("pyogrio.raw", "a GeoPackage")
    settings = {"layer": "classes", "driver": "GPKG", "geometry_type": "Polygon", "crs": crs.to_wkt() if crs else None}
    written = False
    for regions in _batches(found):
        properties = [_properties(region, class_names) for region in regions]
        columns = {
            "class": np.array([one["class"] for one in properties], object),
            "class_index": np.array([one["class_index"] for one in properties], np.int32),
            "pixels": np.array([one["pixels"] for one in properties], np.int64),
        }
        geometry = np.array([_wkb(region.rings) for region in regions], object)
        raw.write(path, geometry, list(columns.values()), list(columns), append=written, **settings)
        written = True


def _batches(found: Iterable[Region]) -> Iterator[list[Region]]:
    """Yields lists of regions; an empty one if there are no regions, so that the layer exists."""
    rest = iter(found)
    batch = list(itertools.islice(rest, _AT_ONCE))
    yield batch
    while batch := list(itertools.islice(rest, _AT_ONCE)):
        yield batch


def _properties(region: Region, class_names: Sequence[str]) -> dict[str, Any]:
    return {"class": class_names[region.class_index], "class_index": region.class_index, "pixels": region.pixels}


def _wgs84_geometry(rings: list[Ring], crs: Any) -> dict[str, Any]:
    """Returns the GeoJSON geometry: outlines counter-clockwise, holes clockwise, cut at the antimeridian."""
    warp = geo_package("rasterio.warp", "GeoJSON")
    lengths = np.cumsum([len(ring) for ring in rings])[:-1]
    all_N2 = np.concatenate(rings)
    degrees_N2 = np.stack(warp.transform(crs, _WGS84, all_N2[:, 0], all_N2[:, 1]), axis=1)
    if np.ptp(degrees_N2[:, 0]) <= _HALF_TURN:
        return {"type": "Polygon", "coordinates": _oriented(np.split(degrees_N2, lengths))}
    shape = {"type": "Polygon", "coordinates": [ring.tolist() for ring in rings]}
    cut = warp.transform_geom(crs, _WGS84, shape)
    polygons = cut["coordinates"] if cut["type"] == "MultiPolygon" else [cut["coordinates"]]
    oriented = [_oriented([np.array(ring, np.float64) for ring in polygon]) for polygon in polygons]
    return {"type": "MultiPolygon", "coordinates": oriented}


def _oriented(rings: list[Ring]) -> list[list[list[float]]]:
    """Returns the rounded coordinates of the outline, counter-clockwise, and of the holes, clockwise."""
    ordered = []
    for index, ring_N2 in enumerate(rings):
        is_counter_clockwise = signed_area(ring_N2) > 0
        turned_N2 = ring_N2 if is_counter_clockwise == (index == 0) else ring_N2[::-1]
        ordered.append(turned_N2.round(_DIGITS).tolist())
    return ordered


def _wkb(rings: list[Ring]) -> bytes:
    """Returns a polygon as little-endian Well-Known Binary (OGC 06-103r4)."""
    parts = [struct.pack("<BII", 1, _WKB_POLYGON, len(rings))]
    for ring_N2 in rings:
        parts.append(struct.pack("<I", len(ring_N2)) + ring_N2.astype("<f8").tobytes())
    return b"".join(parts)
