"""Georeference, pixels without data, and refusals of scenes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.warp
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp

import pipeline.scene.scene_file as scene_file
from common.palette import class_colours
from components.trainer.inference import config as inference_config
from pipeline.scene import mask_file, scene_predictor, tile_walk
from pipeline.scene.scene_file import RGB_SAMPLES, open_scene
from pipeline.scene.statistics import scene_statistics
from serving.errors import FailedPictureError
from tests.support.scenes import CRS, TRANSFORM, blocky_image, write_scene
from tests.unit.pipeline.scene.conftest import MakeScenes, Scenes

HEIGHT, WIDTH = 70, 53
IMAGE_CHW = blocky_image(3, HEIGHT, WIDTH)


@pytest.fixture
def model(scenes: MakeScenes, tmp_path: Path) -> Scenes:
    return scenes(tmp_path / "out", normalize="picture")


def opened(model: Scenes, name: str = "scene") -> rasterio.DatasetReader:
    return rasterio.open(model.out / f"{name}.mask.tif")


@pytest.mark.parametrize(
    "transform",
    [TRANSFORM, Affine(0.5, 0, 10.0, 0, 0.5, 20.0), TRANSFORM * Affine.rotation(30)],
    ids=["north up", "south up", "rotated"],
)
def test_the_mask_has_the_scenes_georeference(model: Scenes, tmp_path: Path, transform: Affine) -> None:
    model.predict(write_scene(tmp_path / "scene.tif", IMAGE_CHW, transform=transform))
    with opened(model) as mask:
        assert mask.transform.almost_equals(transform, 1e-9)
        assert (mask.crs, mask.shape, mask.nodata) == (rasterio.crs.CRS.from_string(CRS), (HEIGHT, WIDTH), 255)


def test_the_mask_is_a_cog_with_colours_and_class_names(model: Scenes, tmp_path: Path) -> None:
    model.predict(write_scene(tmp_path / "scene.tif", blocky_image(3, 40, 1100)))
    with opened(model) as mask:
        assert mask.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert (mask.block_shapes[0], mask.compression.name, mask.overviews(1)) == ((512, 512), "deflate", [2, 4])
        assert mask.colormap(1)[1][:3] == tuple(class_colours(3)[1])
        assert mask.colormap(1)[255][3] == 0
        assert mask.tags(1)["CLASS_2"] == "tree"


def test_control_points_stay(model: Scenes, tmp_path: Path) -> None:
    corners = [(0, 0, 10.0, 50.0), (0, WIDTH, 10.1, 50.0), (HEIGHT, 0, 10.0, 49.9)]
    points = [GroundControlPoint(row, column, x, y) for row, column, x, y in corners]
    path = write_scene(tmp_path / "scene.tif", IMAGE_CHW, transform=None, gcps=points, crs="EPSG:4326")
    model.predict(path)
    with opened(model) as mask:
        found, crs = mask.gcps
        assert [(point.row, point.col, point.x, point.y) for point in found] == corners
        assert crs.to_epsg() == 4326
    with pytest.raises(FailedPictureError, match="polygons need an affine transformation"):
        model.predict(path, "gpkg")


def test_a_missing_crs_is_said(model: Scenes, tmp_path: Path) -> None:
    path = write_scene(tmp_path / "scene.tif", IMAGE_CHW, crs=None)
    assert model.predict(path).notes == [f"{path} has no coordinate reference system, so that what is written has none"]
    with opened(model) as mask:
        assert (mask.crs, mask.transform) == (None, TRANSFORM)
    with pytest.raises(FailedPictureError, match="GeoJSON is in WGS 84, and the scene has no coordinate reference"):
        model.predict(path, "geojson")


def test_a_wide_scene_in_rows_is_predicted_and_said(model: Scenes, tmp_path: Path) -> None:
    image_CHW = blocky_image(3, 40, 60)
    rows = write_scene(tmp_path / "rows.tif", image_CHW, tiled=False, blockysize=8)
    assert "is stored in rows" in model.predict(rows).notes[0]
    np.testing.assert_array_equal(model.mask(rows), model.mask(write_scene(tmp_path / "tiles.tif", image_CHW)))


def test_no_data_is_void_and_counts_nowhere(model: Scenes, tmp_path: Path) -> None:
    """By NoData, an internal mask of 1 bit, or an alpha band; the statistics are those of the rest."""
    known_HW = np.zeros([HEIGHT, WIDTH], bool)
    known_HW[:40] = True
    image_CHW = np.where(known_HW, np.maximum(IMAGE_CHW, 1), 0).astype(np.uint8)
    alpha_CHW = np.concatenate([image_CHW, known_HW[None] * np.uint8(255)])
    paths = [
        write_scene(tmp_path / "nodata.tif", image_CHW, nodata=0),
        write_scene(tmp_path / "mask.tif", image_CHW, known_HW),
        write_scene(tmp_path / "alpha.tif", alpha_CHW, photometric="RGB", alpha="YES"),
    ]
    masks = [model.mask(path) for path in paths]
    for mask_HW in masks:
        np.testing.assert_array_equal(mask_HW == 255, ~known_HW)
        np.testing.assert_array_equal(mask_HW, masks[0])
    with open_scene(paths[1], RGB_SAMPLES) as scene:
        statistics = scene_statistics(scene, "uint8", None, lambda _: None)
    known_NC = image_CHW[:, known_HW].T.astype(float)
    np.testing.assert_allclose(statistics.mean_C, known_NC.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(statistics.std_C, known_NC.std(axis=0), rtol=1e-6)
    shares = model.predict(paths[0]).shares
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["roof"] == pytest.approx((masks[0] == 1).sum() / known_HW.sum())


def test_grey_is_taken_as_rgb(model: Scenes, tmp_path: Path) -> None:
    grey = model.mask(write_scene(tmp_path / "grey.tif", IMAGE_CHW[:1]))
    np.testing.assert_array_equal(grey, model.mask(write_scene(tmp_path / "rgb.tif", IMAGE_CHW[[0, 0, 0]])))


def test_a_scene_that_the_model_does_not_take_is_refused(model: Scenes, tmp_path: Path) -> None:
    def refusal(image_CHW: np.ndarray, **settings: object) -> str:
        path = write_scene(tmp_path / "scene.tif", image_CHW, **settings)
        with pytest.raises(FailedPictureError) as refused:
            model.predict(path)
        text = str(refused.value)
        assert text.startswith(f"{path}: ")
        return text.removeprefix(f"{path}: ")

    five = blocky_image(5, 40, 40)
    assert refusal(five).startswith("the scene has 5 bands, and the model takes 3")
    assert refusal(IMAGE_CHW.astype(np.uint16)) == "the scene has uint16 samples, and the model takes uint8; convert it"
    assert (
        refusal(IMAGE_CHW[:1] % 2, nbits=1) == "the scene has samples of 1 bit, and the model takes uint8; convert it"
    )
    assert not list(model.out.glob("*")), "nothing is left"


def test_a_palette_is_refused(model: Scenes, tmp_path: Path) -> None:
    path = write_scene(tmp_path / "scene.tif", IMAGE_CHW[:1])
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, {0: (0, 0, 0, 255), 1: (255, 0, 0, 255)})
        dataset.colorinterp = [ColorInterp.palette]
    with pytest.raises(FailedPictureError, match="has a palette; convert it with `gdal_translate -expand rgb`"):
        model.predict(path)


def test_a_broken_tile_is_named_by_its_window(model: Scenes, tmp_path: Path) -> None:
    path = write_scene(tmp_path / "scene.tif", IMAGE_CHW, compress="deflate")
    data = bytearray(path.read_bytes())
    offset = len(data) // 2
    data[offset : offset + 60] = bytes(60)
    path.write_bytes(data)
    with pytest.raises(FailedPictureError, match=r"the file is damaged in rows \d+ to \d+, columns 0 to 52: "):
        model.predict(path)
    assert not list(model.out.glob("*"))


def test_what_would_take_too_much_is_refused_before_work(
    model: Scenes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_scene(tmp_path / "scene.tif", IMAGE_CHW)
    with monkeypatch.context() as patch:
        patch.setattr(tile_walk, "BAND_BYTES", 1000)
        with pytest.raises(FailedPictureError, match="cut the scene along its shorter side"):
            model.predict(path)
    with monkeypatch.context() as patch:
        patch.setattr(mask_file, "_BYTES_PER_PIXEL", 1e15)
        with pytest.raises(
            Exception, match=r"needs up to \d+ MB while it is written, .* name another folder with --out"
        ):
            model.predict(path)
    with monkeypatch.context() as patch:
        patch.setattr(scene_file, "LARGEST_BLOCK", 100)
        with pytest.raises(FailedPictureError, match="rewrite it with `gdal_translate -co TILED=YES`"):
            model.predict(path)
    assert inference_config.BAND_BYTES == 1_000_000_000


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"mode": "resize"}, "the model resizes images as a whole; train it with trainer.inference.mode: tile"),
        ({"scale": 0.5}, "the model scales images as a whole; train it with trainer.inference.scale: 1"),
    ],
)
def test_a_large_scene_needs_a_model_with_windows(
    scenes: MakeScenes, tmp_path: Path, settings: dict[str, object], words: str
) -> None:
    model = scenes(tmp_path / "out", max_pixels=1000, **settings)
    path = write_scene(tmp_path / "scene.tif", IMAGE_CHW)
    with pytest.raises(FailedPictureError) as refused:
        model.predict(path)
    assert str(refused.value) == f"{path}: the scene has 53 × 70 pixels, over trainer.max_pixels (1000), and {words}"


def test_an_interruption_leaves_nothing(model: Scenes, tmp_path: Path) -> None:
    path = write_scene(tmp_path / "scene.tif", IMAGE_CHW)
    told: list[str] = []

    def interrupt_at_the_third_window(text: str) -> None:
        told.append(text)
        if "window 3 of" in text:
            raise KeyboardInterrupt

    predictor = scene_predictor.ScenePredictor(model.predictor, (), interrupt_at_the_third_window)
    with pytest.raises(KeyboardInterrupt):
        predictor.predict(path, model.out, "scene")
    assert not list(model.out.glob("*")) and not list(model.out.glob(".*"))
    assert "million pixels/s" in told[-1]


def test_polygons_are_in_map_coordinates(model: Scenes, tmp_path: Path) -> None:
    pyogrio = pytest.importorskip("pyogrio")
    model.predict(write_scene(tmp_path / "scene.tif", IMAGE_CHW), "geojson", "gpkg")
    with opened(model) as dataset:
        mask_HW, bounds = dataset.read(1), dataset.bounds
    info = pyogrio.read_info(model.out / "scene.gpkg")
    assert (info["crs"], info["geometry_type"], list(info["fields"])) == (
        CRS,
        "Polygon",
        ["class", "class_index", "pixels"],
    )
    assert info["total_bounds"][0] >= bounds.left and info["total_bounds"][3] <= bounds.top
    collection = json.loads((model.out / "scene.geojson").read_text())
    assert len(collection["features"]) == info["features"]
    pixels = {1: 0, 2: 0}
    for feature in collection["features"]:
        pixels[feature["properties"]["class_index"]] += feature["properties"]["pixels"]
    assert pixels == {index: int((mask_HW == index).sum()) for index in (1, 2)}
    (west, south, east, north) = rasterio.warp.transform_bounds(CRS, "OGC:CRS84", *bounds)
    longitudes, latitudes = np.concatenate(
        [np.array(feature["geometry"]["coordinates"][0]) for feature in collection["features"]]
    ).T
    assert west - 1e-6 < longitudes.min() < longitudes.max() < east + 1e-6
    assert south - 1e-6 < latitudes.min() < latitudes.max() < north + 1e-6
