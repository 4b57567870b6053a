"""Exported models of each way to answer, saved and loaded again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tf_keras as keras

from common.compatibility import skip_autograph_for_keras
from common.signatures import SIGNATURES
from components.trainer.config import UNet
from components.trainer.export import export
from components.trainer.inference.config import InferenceConfig
from components.trainer.inference.model import ServedModel
from components.trainer.models import build_model
from components.transform.config import TransformConfig
from tests.support.transformed import CLASS_NAMES, NUM_CLASSES, Transformed, make_pair, run_transform

MAX_PIXELS = 100_000


class Exported(NamedTuple):
    """A model and its signatures, in memory or saved and loaded again."""

    network: keras.Model
    served: ServedModel
    signatures: dict[str, Any]
    folder: str

    def serve(self, *encoded: bytes, signature: str = "serving_default") -> dict[str, np.ndarray]:
        answer = self.signatures[signature](image=tf.constant(encoded))
        return {name: value.numpy() for name, value in answer.items()}


Exporter = Callable[..., Exported]


@pytest.fixture(scope="session")
def letterboxed(tmp_path_factory: pytest.TempPathFactory) -> Transformed:
    config = TransformConfig(height=32, width=32, aspect="letterbox")
    return run_transform([make_pair(i) for i in range(4)], config, tmp_path_factory.mktemp("letterboxed"))


@pytest.fixture(scope="session")
def by_picture(tmp_path_factory: pytest.TempPathFactory) -> Transformed:
    """Resized images, each normalised by its own statistics."""
    config = TransformConfig(height=32, width=32, normalize="picture")
    return run_transform([make_pair(i) for i in range(4)], config, tmp_path_factory.mktemp("by_picture"))


@pytest.fixture(scope="session")
def cropped(tmp_path_factory: pytest.TempPathFactory) -> Transformed:
    """Images at their own size, each normalised by its own statistics."""
    config = TransformConfig(mode="crop", height=32, width=32, normalize="picture")
    return run_transform([make_pair(i) for i in range(4)], config, tmp_path_factory.mktemp("cropped"))


@pytest.fixture(scope="session")
def exported(transformed: Transformed, tmp_path_factory: pytest.TempPathFactory) -> Exporter:
    """Exports a small network with the inference settings that are given; the same ones, once.

    With `saved` it goes through a file, which takes some seconds.
    """
    made: dict[tuple[Any, ...], Exported] = {}

    def make(
        of: Transformed = transformed, max_pixels: int = MAX_PIXELS, saved: bool = False, **settings: object
    ) -> Exported:
        key = (str(of.graph), max_pixels, saved, *sorted(settings.items()))
        if key not in made:
            keras.utils.set_random_seed(3)
            network = build_model(UNet(width=4, depth=2), of.config, NUM_CLASSES, np.full(3, 60.0), np.full(3, 50.0))
            layer = tft.TFTransformOutput(str(of.graph)).transform_features_layer()
            inference = InferenceConfig(**settings)  # type: ignore[arg-type]
            served = ServedModel(network, layer, of.config, CLASS_NAMES, max_pixels, inference)
            folder = str(tmp_path_factory.mktemp("export"))
            made[key] = Exported(network, served, _saved(served, folder) if saved else _in_memory(served), folder)
        return made[key]

    return make


def _saved(served: ServedModel, folder: str) -> dict[str, Any]:
    export(served, folder)
    return tf.saved_model.load(folder).signatures


def _in_memory(served: ServedModel) -> dict[str, Any]:
    skip_autograph_for_keras()
    return {name: getattr(served, name) for name in SIGNATURES}
