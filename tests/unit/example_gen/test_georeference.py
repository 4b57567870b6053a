"""Georeferences of image and mask: they must agree, and leave the records as they are."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import tifffile
from affine import Affine

from components.example_gen.georeference import check_same_place, is_geotiff, read_georeference
from components.example_gen.images import canonical_image
from components.example_gen.quarantine import Reason
from components.example_gen.rejection import RejectionError
from tests.support.data_set import DataSet, blocks, photo

NORTH_UP = Affine(0.5, 0, 500_000, 0, -0.5, 5_200_000)
ROTATED = NORTH_UP * Affine.rotation(30)


def geotiff(
    folder: Path,
    transform: Affine | None,
    size: tuple[int, int] = (20, 30),
    pixels: np.ndarray | None = None,
    **settings: Any,
) -> bytes:
    path = folder / "made.tif"
    pixels = np.zeros([1, *size], np.uint8) if pixels is None else pixels
    count, height, width = pixels.shape
    shape = {"count": count, "height": height, "width": width, "dtype": "uint8"}
    profile = {"crs": "EPSG:32633", "transform": transform} | shape | settings
    with rasterio.open(path, "w", driver="GTiff", **profile) as dataset:
        dataset.write(pixels)
    return path.read_bytes()


@pytest.mark.parametrize("transform", [NORTH_UP, ROTATED, Affine(0.5, 0, 10, 0, 0.5, 20)])
@pytest.mark.parametrize("point", [False, True])
def test_it_is_read_as_rasterio_reads_it(tmp_path: Path, transform: Affine, point: bool) -> None:
    data = geotiff(tmp_path, transform)
    if point:
        with rasterio.open(tmp_path / "made.tif", "r+") as dataset:
            dataset.update_tags(AREA_OR_POINT="Point")
        data = (tmp_path / "made.tif").read_bytes()
    found = read_georeference(data)
    with rasterio.open(tmp_path / "made.tif") as dataset:
        expected = dataset.transform
    assert found is not None and found.affine_23 is not None
    np.testing.assert_allclose(found.affine_23, np.array(expected).reshape(3, 3)[:2], atol=1e-9)
    assert (found.code, found.size_2) == (32633, (30, 20))
    assert is_geotiff(tmp_path / "made.tif")


def test_other_files_have_none(tmp_path: Path) -> None:
    plain = tmp_path / "plain.tif"
    tifffile.imwrite(plain, np.zeros([4, 5], np.uint8))
    for data in (plain.read_bytes(), b"\x89PNG\r\n\x1a\n", b"II*\0", b"", b"MM\0*\0\0\0\x08\xff"):
        assert read_georeference(data) is None
        plain.write_bytes(data)
        assert not is_geotiff(plain)


@pytest.mark.parametrize("transform", [NORTH_UP, ROTATED])
def test_image_and_mask_agree_within_half_a_pixel(tmp_path: Path, transform: Affine) -> None:
    image = geotiff(tmp_path, transform)
    for shift in (0, 0.4, -0.4):
        check_same_place(image, geotiff(tmp_path, transform * Affine.translation(0, shift)))
    check_same_place(image, geotiff(tmp_path, transform * Affine.scale(2), (10, 15)))
    with pytest.raises(RejectionError) as rejected:
        check_same_place(image, geotiff(tmp_path, transform * Affine.translation(0, 0.6)))
    assert rejected.value.reason is Reason.GEOREFERENCE_MISMATCH
    assert rejected.value.detail.startswith(
        "the mask's corners lie up to 0.6 pixels of the image away from the image's; "
    )


def test_the_reference_systems_agree(tmp_path: Path) -> None:
    image = geotiff(tmp_path, NORTH_UP)
    with pytest.raises(RejectionError, match="the image is in EPSG:32633 and the mask in EPSG:25833"):
        check_same_place(image, geotiff(tmp_path, NORTH_UP, crs="EPSG:25833"))
    check_same_place(image, geotiff(tmp_path, NORTH_UP, crs=None))


def test_nothing_is_compared_with_a_file_without_georeference(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "plain.tif", np.zeros([20, 30], np.uint8))
    plain = (tmp_path / "plain.tif").read_bytes()
    image = geotiff(tmp_path, NORTH_UP)
    check_same_place(image, plain)
    check_same_place(plain, image)
    check_same_place(plain, b"\x89PNG")


def test_a_pair_that_does_not_agree_is_set_aside(tmp_path: Path) -> None:
    data, scratch = DataSet(tmp_path / "data"), tmp_path
    mask = blocks()[np.newaxis]
    for index, shift in enumerate((0.0, 3.0)):
        picture = np.moveaxis(np.asarray(photo(seed=index)), -1, 0)
        moved = NORTH_UP * Affine.translation(shift, 0)
        data.write(f"images/{index}.tif", geotiff(scratch, NORTH_UP, pixels=picture))
        data.write(f"masks/{index}.tif", geotiff(scratch, moved, pixels=mask))
    summary, (rejected,) = data.survey()
    assert sum(summary.used.values()) == 1
    assert (rejected.id, rejected.reason) == ("1", Reason.GEOREFERENCE_MISMATCH)
    assert rejected.detail.startswith("mask: the mask's corners lie up to 3 pixels of the image away")


def test_a_georeference_changes_no_record(tmp_path: Path) -> None:
    """A record has the image's pixels alone: other features would be unknown to the schema."""
    picture = np.moveaxis(np.asarray(photo()), -1, 0)
    plain = io.BytesIO()
    tifffile.imwrite(plain, np.asarray(photo()), photometric="rgb")
    files = (geotiff(tmp_path, NORTH_UP, pixels=picture), plain.getvalue())
    georeferenced, other = (canonical_image(data, 10_000).encoded for data in files)
    assert georeferenced == other
