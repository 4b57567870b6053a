"""`segpipe predict` with GeoTIFFs among the images."""

from __future__ import annotations

from pathlib import Path

import pytest
import rasterio
import tifffile
from PIL import Image

from common.errors import UserError
from pipeline.cli import scenes
from pipeline.cli.image_files import find_images
from pipeline.cli.predict import predict_here, predict_there
from pipeline.scene import geo_extra
from tests.support.scenes import TRANSFORM, blocky_image, scene_registry, write_scene


def test_a_folder_of_both_kinds(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    registry, folder, out = scene_registry(tmp_path), tmp_path / "in", tmp_path / "out"
    (folder / "deep").mkdir(parents=True)
    image_CHW = blocky_image(3, 40, 50)
    write_scene(folder / "deep" / "map.tif", image_CHW, crs=None)
    Image.fromarray(image_CHW.transpose(1, 2, 0)).save(folder / "photo.png")
    predict_here([folder], registry.uri, None, out)
    said = capfd.readouterr().out
    assert f"masks and overlays are in {out}\ngeoreferenced masks are in {out}" in said
    assert f"{folder}/deep/map.tif has no coordinate reference system" in said
    with rasterio.open(out / "deep" / "map.mask.tif") as mask, Image.open(out / "photo.mask.png") as other:
        assert mask.transform == TRANSFORM
        assert (mask.read(1) == other).all()
    predict_here([folder / "deep" / "map.tif"], registry.uri, None, out, "gpkg")
    assert f"georeferenced masks and polygons are in {out}" in capfd.readouterr().out
    assert (out / "map.gpkg").exists()
    with pytest.raises(UserError, match=r"photo.png is not a GeoTIFF, and gpkg has map coordinates; --format geojson"):
        predict_here([folder / "photo.png"], registry.uri, None, out, "gpkg")
    assert "deep/map.mask.tif" not in {image.name for image in find_images([out], folder).images}


def test_a_server_writes_no_geopackage(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="gpkg needs the model itself, to read scenes by windows; leave --url out"):
        predict_there([tmp_path], "http://localhost:8501/v1/models/a", tmp_path / "out", "gpkg")


def test_a_missing_package_is_said_before_the_model_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scene(tmp_path / "map.tif", blocky_image(3, 10, 12))
    tifffile.imwrite(tmp_path / "plain.tif", blocky_image(1, 10, 12)[0])
    found = find_images([tmp_path], tmp_path / "out")
    assert {image.name for image in scenes.scenes_among(found, "gpkg")} == {"map"}
    assert not scenes.scenes_among(found, "coco")

    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(geo_extra.importlib, "import_module", missing)
    with pytest.raises(UserError) as refused:
        scenes.scenes_among(found, "png")
    assert str(refused.value) == ("a GeoTIFF needs the package rasterio; install it with `pip install segpipe[geo]`")
