"""Predictors of scenes."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import rasterio
from PIL import Image

from common.band_image import pack_plain
from pipeline.scene.scene_predictor import ScenePrediction, ScenePredictor
from registry.store import Registry
from serving.predictor import Prediction, Predictor
from tests.support.scenes import scene_registry

_LOADED = 2  # models of 200 MB, with their graphs


class Scenes(NamedTuple):
    """A loaded model, and what it makes of scenes."""

    predictor: Predictor
    out: Path

    def predict(self, path: Path, *formats: str) -> ScenePrediction:
        return ScenePredictor(self.predictor, formats, lambda _: None).predict(path, self.out, path.stem)

    def mask(self, path: Path) -> np.ndarray:
        self.predict(path)
        with rasterio.open(self.out / f"{path.stem}.mask.tif") as dataset:
            return np.asarray(dataset.read(1))

    def served(self, image_HWC: np.ndarray) -> Prediction:
        """The served graph's answer for the image as a whole."""
        if not self.predictor.manifest.config["data"].get("bands"):
            buffer = io.BytesIO()
            Image.fromarray(image_HWC).save(buffer, "PNG")
            return self.predictor.predict_encoded(Path("whole"), buffer.getvalue())
        return self.predictor.predict_encoded(Path("whole"), pack_plain(image_HWC))


MakeScenes = Callable[..., Scenes]


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> MakeScenes:
    """Makes a model with the settings that are given; the same ones, once.  Few are loaded at a time."""
    registries: dict[tuple[Any, ...], Registry] = {}
    loaded: dict[tuple[Any, ...], Predictor] = {}

    def make(out: Path, **settings: Any) -> Scenes:
        key = tuple(sorted(settings.items()))
        if key not in registries:
            registries[key] = scene_registry(tmp_path_factory.mktemp("scenes"), **settings)
        if key not in loaded:
            for oldest in list(loaded)[: len(loaded) - _LOADED + 1]:
                del loaded[oldest]
            loaded[key] = Predictor(registries[key])
        return Scenes(loaded[key], out)

    return make
