"""Images, and registries of models that predict them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pytest
from PIL import Image

from components.batch_predictor.config import BatchPredictionConfig
from components.batch_predictor.entries import Counts
from components.batch_predictor.model_copy import facts_of_version, fetched, served_version
from components.batch_predictor.run import predict_all
from registry.store import Registry
from tests.support.made_once import made_once
from tests.support.mask_model import mask_registry
from tests.support.scenes import blocky_image, scene_registry

Predict = Callable[..., Counts]


def write_image(path: Path, height: int = 40, width: int = 56) -> Path:
    """Writes an image in the format of its suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.moveaxis(blocky_image(3, height, width), 0, 2)).save(path)
    return path


@pytest.fixture(scope="session")
def resizing(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """A registry of an exported model that resizes images, and is sensitive to where in an image a pixel is."""
    return Registry(made_once(tmp_path_factory, "resizing", lambda folder: scene_registry(folder, mode="resize").uri))


@pytest.fixture(scope="session")
def masking(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """A registry of a model that has the signature of an exported one, and loads in an instant."""
    return Registry(made_once(tmp_path_factory, "masking", lambda folder: mask_registry(folder / "registry").uri))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Five images, in two folders, of which one cannot be read."""
    folder = tmp_path / "photos"
    for name in ("a.jpg", "a.png", "deep/b.png", "deep/c.bmp"):
        write_image(folder / name)
    (folder / "deep" / "broken.png").write_bytes(write_image(tmp_path / "whole.png").read_bytes()[:100])
    return folder


@pytest.fixture
def predict(masking: Registry, tmp_path: Path) -> Predict:
    """Predicts a source into `tmp_path/out`, on Beam in this process."""

    def run(source: Any, registry: Registry = masking, overwrite: bool = False, **settings: Any) -> Counts:
        manifest = served_version(registry)
        config = BatchPredictionConfig.model_validate({"out": str(tmp_path / "out"), "source": source, **settings})
        return predict_all(
            config,
            facts_of_version(manifest),
            lambda out: fetched(registry, manifest, out),
            lambda: beam.Pipeline(runner="FnApiRunner"),
            overwrite,
        )

    return run
