"""GeoTIFFs among the images of `segpipe predict`, which are read by windows and get georeferenced files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.cli.image_files import ImageFile, ImageFiles
from serving.errors import FailedPictureError
from serving.predictor import Predictor

if TYPE_CHECKING:
    from pipeline.scene.scene_predictor import OnProgress, ScenePrediction

MAP_FORMATS = ("gpkg",)
"""Formats that need map coordinates."""
_WRITTEN_BESIDE = {"png": (), "geojson": ("geojson",), "gpkg": ("gpkg",)}
"""Format of `segpipe predict` → files beside the georeferenced mask; the formats of labelling tools have none."""


def scenes_among(found: ImageFiles, format: str) -> frozenset[ImageFile]:
    """Returns the GeoTIFFs that are predicted as scenes.

    Raises:
        UserError: there are some, and a package that they need is not installed.
    """
    if format not in _WRITTEN_BESIDE:
        return frozenset()
    from components.example_gen.georeference import is_geotiff

    scenes = frozenset(image for image in found.images if is_geotiff(image.path))
    if scenes:
        from pipeline.scene.scene_predictor import check_packages

        check_packages(_WRITTEN_BESIDE[format])
    return scenes


def check_map_format(image: ImageFile, format: str) -> None:
    """Raises `FailedPictureError` if the format needs map coordinates, for an image that has none."""
    if format in MAP_FORMATS:
        raise FailedPictureError(
            f"{image.path} is not a GeoTIFF, and {format} has map coordinates; --format geojson writes those of pixels"
        )


def predict_scene(
    predictor: Predictor, image: ImageFile, format: str, out: Path, on_progress: OnProgress
) -> ScenePrediction:
    """Predicts a GeoTIFF, and writes its files into the folder `out`."""
    from pipeline.scene.scene_predictor import ScenePredictor

    return ScenePredictor(predictor, _WRITTEN_BESIDE[format], on_progress).predict(image.path, out, image.name)
