"""Predicts a scene with a model of the registry, by windows, and writes its mask and polygons."""

from __future__ import annotations

import io
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from common.band_image import pack_plain
from common.errors import UserError
from common.records import VOID
from common.signatures import MEAN, PIXELS, PROBABILITIES, SERVING_TILES, SERVING_VALUES, STD, TILES, VALUES
from components.example_gen.config import DataConfig
from components.trainer.config import TrainerConfig
from pipeline.scene.geo_extra import geo_package
from pipeline.scene.mask_file import MaskWriter, check_disk_space, convert_to_cog, written_mask
from pipeline.scene.polygons import check_corners, mask_crs, regions
from pipeline.scene.scene_file import RGB_SAMPLES, Samples, Scene, Valid, WantedSamples, Window, open_scene
from pipeline.scene.statistics import SceneStatistics, scene_statistics
from pipeline.scene.tile_walk import Network, TileSettings, TileWalk
from pipeline.scene.vector_files import FORMATS, write_geojson, write_geopackage
from serving.predictor import Predictor

MASK_SUFFIX = ".mask.tif"
OnProgress = Callable[[str], None]
"""Called with what is done at present."""

_MEGA = 1e6


class ScenePrediction(NamedTuple):
    """Figures of a predicted scene, over its pixels with data, and what to say about it."""

    shares: dict[str, float]
    mean_confidence: float
    notes: list[str]


class ScenePredictor:
    """Predictor of scenes with one model."""

    def __init__(self, predictor: Predictor, formats: Sequence[str], on_progress: OnProgress) -> None:
        """Takes the model; `formats` are those of `vector_files.FORMATS` that are written beside the masks."""
        config = predictor.manifest.config
        bands = DataConfig.model_validate(config["data"]).bands
        self._predictor = predictor
        self._formats = formats
        self._on_progress = on_progress
        self._trainer = TrainerConfig.model_validate(config["trainer"])
        self._wanted = (
            WantedSamples(bands.depth, len(bands.names), tuple(bands.places)) if bands is not None else RGB_SAMPLES
        )

    def predict(self, path: Path, out: Path, name: str) -> ScenePrediction:
        """Writes `out`/`name`.mask.tif, and the polygons; files appear when they are complete.

        Raises:
            FailedPictureError: the scene is damaged, or the model does not take it.
            UserError: a package is missing, or the files cannot be written.
        """
        target = out / f"{name}{MASK_SUFFIX}"
        with open_scene(path, self._wanted) as scene:
            notes = self._check(scene)
            with _staging_folder(target.parent) as staging:
                check_disk_space(scene, staging)
                plain, mask = staging / "plain.tif", staging / target.name
                with written_mask(scene, self._predictor.classes, plain) as writer:
                    totals = self._decide(scene, writer)
                self._on_progress("writing the mask")
                convert_to_cog(plain, mask)
                plain.unlink()
                mask.replace(target)
                self._write_polygons(target, out / name, staging)
        shares, confidence = totals.figures()
        return ScenePrediction(dict(zip(self._predictor.classes, shares, strict=False)), confidence, notes)

    def _check(self, scene: Scene) -> list[str]:
        """Returns notes on the scene's georeference and storage; refuses polygons that it does not allow."""
        if self._formats and scene.transform is None:
            raise scene.error("polygons need an affine transformation to map coordinates, and the scene has none")
        notes = []
        if scene.crs is None:
            if "geojson" in self._formats:
                raise scene.error("GeoJSON is in WGS 84, and the scene has no coordinate reference system; use gpkg")
            notes.append(f"{scene.path} has no coordinate reference system, so that what is written has none")
        if scene.is_wide_in_strips:
            notes.append(f"{scene.path} is stored in rows; `gdal_translate -co TILED=YES` makes it faster to read")
        return notes

    def _decide(self, scene: Scene, writer: MaskWriter) -> _Totals:
        """Predicts the scene window by window, or as a whole if the model cannot do otherwise."""
        tiles = self._predictor.signature(SERVING_TILES)
        if tiles is None:
            return self._decide_whole(scene, writer)
        specs = tiles.structured_input_signature[1]
        height, width = specs[TILES].shape[1:3]
        inference = self._trainer.inference
        settings = TileSettings((height, width), len(self._predictor.classes), inference.overlap, inference.batch)
        try:
            walk = TileWalk(scene.size_2, settings)
        except ValueError as error:
            raise scene.error(str(error)) from None
        network = _network(tiles, self._statistics(scene) if MEAN in specs else None)
        return self._decide_by_windows(scene, writer, walk, network)

    def _decide_by_windows(self, scene: Scene, writer: MaskWriter, walk: TileWalk, network: Network) -> _Totals:
        totals, meter = _Totals(len(self._predictor.classes)), _Meter(walk.steps)
        for strip in walk.decide(scene.read, network):
            valid_HW = scene.read_valid(strip.window)
            writer.write(strip.window, totals.add(strip.class_HW, valid_HW, strip.confidence_HW))
            self._on_progress(f"{scene.path.name}: {meter.add(strip.window)}")
        return totals

    def _decide_whole(self, scene: Scene, writer: MaskWriter) -> _Totals:
        """Predicts a scene as the served graph predicts an image, if it is not too large for that."""
        limit = self._trainer.max_pixels
        if scene.pixels > limit:
            height, width = scene.size_2
            raise scene.error(
                f"the scene has {width} × {height} pixels, over trainer.max_pixels ({limit}), and {self._why_whole()}"
            )
        height, width = scene.size_2
        window = Window(0, height, 0, width)
        image_HWC = scene.read(window)
        encoded = pack_plain(image_HWC) if self._wanted is not RGB_SAMPLES else _png(image_HWC)
        found = self._predictor.predict_encoded(scene.path, encoded)
        totals = _Totals(len(self._predictor.classes))
        confidence_HW = np.broadcast_to(np.float32(found.mean_confidence), (height, width))
        writer.write(window, totals.add(found.mask_HW.astype(np.uint8), scene.read_valid(window), confidence_HW))
        return totals

    def _why_whole(self) -> str:
        inference = self._trainer.inference
        if inference.mode == "resize":
            return "the model resizes images as a whole; train it with trainer.inference.mode: tile"
        if inference.scale != 1:
            return "the model scales images as a whole; train it with trainer.inference.scale: 1"
        return f"the model was exported without the signature {SERVING_TILES}; train it with this version of segpipe"

    def _statistics(self, scene: Scene) -> SceneStatistics:
        signature = self._predictor.signature(SERVING_VALUES)
        values = None if signature is None else lambda pixels: signature(**{PIXELS: pixels})[VALUES].numpy()
        meter = _Meter(0)
        return scene_statistics(
            scene,
            self._wanted.depth,
            values,
            lambda window: self._on_progress(f"{scene.path.name}: mean and deviation, {meter.add(window)}"),
        )

    def _write_polygons(self, mask: Path, stem: Path, staging: Path) -> None:
        if not self._formats:
            return
        self._on_progress(f"{mask.name}: polygons")
        check_corners(mask)
        writers = {"geojson": write_geojson, "gpkg": write_geopackage}
        for format in self._formats:
            target = stem.with_name(stem.name + FORMATS[format])
            staged = staging / target.name
            writers[format](staged, regions(mask), self._predictor.classes, mask_crs(mask))
            staged.replace(target)


class _Totals:
    """Sums over the pixels with data."""

    def __init__(self, num_classes: int) -> None:
        self._pixels_C = np.zeros(num_classes, np.int64)
        self._confidence = 0.0

    def add(
        self, class_HW: npt.NDArray[np.uint8], valid_HW: Valid | None, confidence_HW: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.uint8]:
        """Counts a window, and returns its classes with void where the scene has no data."""
        if valid_HW is not None:
            class_HW = np.where(valid_HW, class_HW, np.uint8(VOID))
            confidence_HW = confidence_HW[valid_HW]
        self._pixels_C += np.bincount(class_HW.ravel(), minlength=VOID + 1)[: len(self._pixels_C)]
        self._confidence += float(confidence_HW.sum(dtype=np.float64))
        return class_HW

    def figures(self) -> tuple[list[float], float]:
        """Returns the share of each class and the mean confidence."""
        pixels = max(int(self._pixels_C.sum()), 1)
        return (self._pixels_C / pixels).tolist(), self._confidence / pixels


class _Meter:
    """Progress: windows done, and pixels a second."""

    def __init__(self, windows: int) -> None:
        self._windows, self._done, self._pixels = windows, 0, 0
        self._began = time.monotonic()

    def add(self, window: Window) -> str:
        """Counts a window, and describes what is done."""
        self._done += 1
        self._pixels += window.height * window.width
        rate = self._pixels / _MEGA / max(time.monotonic() - self._began, 1e-9)
        total = f" of {self._windows}" if self._windows else ""
        return f"window {self._done}{total}, {rate:.2f} million pixels/s"


def check_packages(formats: Sequence[str]) -> None:
    """Raises `UserError` if a package that scenes or `formats` need is not installed."""
    geo_package("rasterio", "a GeoTIFF")
    if "gpkg" in formats:
        geo_package("pyogrio", "a GeoPackage")


def _network(tiles: Any, statistics: SceneStatistics | None) -> Network:
    import tensorflow as tf

    more = {} if statistics is None else {MEAN: tf.constant(statistics.mean_C), STD: tf.constant(statistics.std_C)}

    def network(image_NHWC: Samples) -> npt.NDArray[np.float32]:
        answer = tiles(**{TILES: tf.constant(image_NHWC)}, **more)
        return np.asarray(answer[PROBABILITIES].numpy())

    return network


def _png(image_HWC: Samples) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image_HWC).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


@contextmanager
def _staging_folder(folder: Path) -> Iterator[Path]:
    """Makes a hidden folder beside the outputs, and removes it with all that is left in it, also after Ctrl-C."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".scene-", dir=folder))
    except OSError as error:
        raise UserError(f"cannot write the folder {folder}: {error.strerror}; name another with --out") from None
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)
