"""Polygons of masks, and the files that hold them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.scene import polygons
from pipeline.scene.polygons import check_corners, count_corners, regions, signed_area
from pipeline.scene.vector_files import write_geojson, write_geopackage
from serving.errors import FailedPictureError

NAMES = ("ground", "roof", "tree")


def write_mask(
    path: Path, mask_HW: np.ndarray, crs: str | None = "EPSG:32633", transform: Affine | None = None
) -> Path:
    transform = transform or Affine(2, 0, 500_000, 0, -2, 5_200_000)
    height, width = mask_HW.shape
    shape = {"height": height, "width": width, "count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", driver="GTiff", crs=crs, transform=transform, nodata=255, **shape) as dataset:
        dataset.write(mask_HW, 1)
    return path


def test_a_region_with_a_hole(tmp_path: Path) -> None:
    mask_HW = np.zeros([6, 7], np.uint8)
    mask_HW[1:5, 1:6] = 2
    mask_HW[2:4, 2:4] = 255
    (region,) = regions(write_mask(tmp_path / "mask.tif", mask_HW))
    assert (region.class_index, region.pixels, len(region.rings)) == (2, 16, 2)
    assert region.rings[0].min(axis=0).tolist() == [500_002, 5_200_000 - 10]
    assert region.rings[0].max(axis=0).tolist() == [500_012, 5_200_000 - 2]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_regions_cover_their_classes(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    mask_HW = np.random.default_rng(seed).choice([0, 1, 2, 255], [9, 11]).astype(np.uint8)
    found = list(regions(write_mask(tmp_path_factory.mktemp("mask") / "mask.tif", mask_HW)))
    for index in (1, 2):
        assert sum(region.pixels for region in found if region.class_index == index) == (mask_HW == index).sum()


def test_corners_are_counted_over_the_borders_of_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mask_HW = np.full([8, 8], 255, np.uint8)
    mask_HW[2:6, 2:6] = 1
    mask_HW[0, 7] = 2
    path = write_mask(tmp_path / "mask.tif", mask_HW)
    for rows in (1, 3, 4, 100):
        monkeypatch.setattr(polygons, "_ROWS", rows)
        assert count_corners(path) == 8


def test_too_many_corners_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_mask(tmp_path / "mask.tif", np.eye(9, dtype=np.uint8))
    check_corners(path)
    monkeypatch.setattr(polygons, "MAX_CORNERS", 10)
    with pytest.raises(FailedPictureError, match=r"its regions have \d+ corners, and polygons are made of up to 10; "):
        check_corners(path)


def test_geojson_is_wgs84_with_outlines_counter_clockwise(tmp_path: Path) -> None:
    mask_HW = np.zeros([6, 7], np.uint8)
    mask_HW[1:5, 1:6] = 1
    mask_HW[2:4, 2:4] = 0
    for transform in (None, Affine(2, 0, 500_000, 0, 2, 5_200_000)):
        path = write_mask(tmp_path / "mask.tif", mask_HW, transform=transform)
        write_geojson(tmp_path / "mask.geojson", regions(path), NAMES, rasterio.crs.CRS.from_epsg(32633))
        (feature,) = json.loads((tmp_path / "mask.geojson").read_text())["features"]
        assert feature["properties"] == {"class": "roof", "class_index": 1, "pixels": 16}
        outline, hole = (np.array(ring) for ring in feature["geometry"]["coordinates"])
        assert signed_area(outline) > 0 > signed_area(hole)
        np.testing.assert_allclose(outline.mean(axis=0), [15.0, 46.95], atol=0.01)


def test_a_region_over_the_antimeridian_is_cut(tmp_path: Path) -> None:
    mask_HW = np.ones([4, 8], np.uint8)
    path = write_mask(tmp_path / "mask.tif", mask_HW, "EPSG:3832", Affine(20_000, 0, 3_260_000, 0, -20_000, 40_000))
    crs = rasterio.crs.CRS.from_epsg(3832)  # Its central meridian is 150° E.
    write_geojson(tmp_path / "mask.geojson", regions(path), NAMES, crs)
    (feature,) = json.loads((tmp_path / "mask.geojson").read_text())["features"]
    assert feature["geometry"]["type"] == "MultiPolygon"
    longitudes = [np.array(polygon[0])[:, 0] for polygon in feature["geometry"]["coordinates"]]
    assert sorted(np.sign(one.mean()) for one in longitudes) == [-1, 1]
    assert all(np.ptp(one) < 2 for one in longitudes)


@pytest.mark.parametrize("crs", ["EPSG:32633", None])
def test_a_geopackage_has_the_masks_crs(tmp_path: Path, crs: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    pyogrio = pytest.importorskip("pyogrio")
    monkeypatch.setattr("pipeline.scene.vector_files._AT_ONCE", 4)
    mask_HW = np.arange(30, dtype=np.uint8).reshape(5, 6) % 3
    path = write_mask(tmp_path / "mask.tif", mask_HW, crs)
    target = tmp_path / "mask.gpkg"
    write_geopackage(target, regions(path), NAMES, rasterio.crs.CRS.from_string(crs) if crs else None)
    meta, _, geometry, columns = pyogrio.raw.read(target, layer="classes")
    assert len(geometry) == len(list(regions(path)))
    assert set(columns[0]) == {"roof", "tree"}
    assert meta["crs"] == crs or (crs is None and "Undefined" in str(meta["crs"])) or meta["crs"] is None


def test_a_mask_without_regions_gives_empty_files(tmp_path: Path) -> None:
    pyogrio = pytest.importorskip("pyogrio")
    path = write_mask(tmp_path / "mask.tif", np.zeros([4, 5], np.uint8))
    crs = rasterio.crs.CRS.from_epsg(32633)
    write_geojson(tmp_path / "mask.geojson", regions(path), NAMES, crs)
    write_geopackage(tmp_path / "mask.gpkg", regions(path), NAMES, crs)
    assert json.loads((tmp_path / "mask.geojson").read_text())["features"] == []
    assert pyogrio.read_info(tmp_path / "mask.gpkg")["features"] == 0
