"""Exported models of each way to answer, saved and loaded again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tf_keras as keras

from components.trainer.config import UNet
from components.trainer.export import ServedModel, export
from components.trainer.inference.config import InferenceConfig
from components.trainer.models import build_model
from components.transform.config import TransformConfig
from tests.support.transformed import NUM_CLASSES, Transformed, make_pair, run_transform

MAX_PIXELS = 100_000


class Exported(NamedTuple):
    """A model in memory and what is left of it after saving and loading."""

    network: keras.Model
    loaded: Any
    folder: str
    transform: TransformConfig

    def serve(self, *encoded: bytes) -> dict[str, np.ndarray]:
        answer = self.loaded.signatures["serving_default"](image=tf.constant(encoded))
        return {name: value.numpy() for name, value in answer.items()}


Exporter = Callable[..., Exported]


@pytest.fixture(scope="session")
def letterboxed(tmp_path_factory: pytest.TempPathFactory) -> Transformed:
    config = TransformConfig(height=32, width=32, aspect="letterbox")
    return run_transform([make_pair(i) for i in range(4)], config, tmp_path_factory.mktemp("letterboxed"))


@pytest.fixture(scope="session")
def exported(transformed: Transformed, tmp_path_factory: pytest.TempPathFactory) -> Exporter:
    """Exports a small network with the inference settings that are given; the same ones, once."""
    made: dict[tuple[Any, ...], Exported] = {}

    def make(of: Transformed = transformed, max_pixels: int = MAX_PIXELS, **settings: object) -> Exported:
        key = (str(of.graph), max_pixels, *sorted(settings.items()))
        if key not in made:
            keras.utils.set_random_seed(3)
            network = build_model(UNet(width=4, depth=2), of.config, NUM_CLASSES, np.full(3, 60.0), np.full(3, 50.0))
            layer = tft.TFTransformOutput(str(of.graph)).transform_features_layer()
            folder = str(tmp_path_factory.mktemp("export"))
            inference = InferenceConfig(**settings)  # type: ignore[arg-type]
            export(ServedModel(network, layer, of.config, NUM_CLASSES, max_pixels, inference), folder)
            made[key] = Exported(network, tf.saved_model.load(folder), folder, of.config)
        return made[key]

    return make
