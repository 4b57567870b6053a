"""What the tests of the trainer share: exported models of each way to answer, some saved and loaded again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tf_keras as keras

from common.compatibility import skip_autograph_for_keras
from common.signatures import SIGNATURES
from components.trainer.architectures import UNet
from components.trainer.export import export
from components.trainer.inference.config import InferenceConfig
from components.trainer.inference.model import ServedModel
from components.trainer.models import build_model
from tests.support.made_once import made_once
from tests.support.transformed import CLASS_NAMES, CROP, NUM_CLASSES, Transformed, make_pair, run_transform

MAX_PIXELS = 100_000
_KEPT = 2  # models of 100 MB and more, with their graphs


@pytest.fixture(scope="session", autouse=True)
def fast_tracing() -> None:
    """As every training begins."""
    skip_autograph_for_keras()


@pytest.fixture(scope="session")
def native(tmp_path_factory: pytest.TempPathFactory) -> Transformed:
    """Five images of different sizes, at their own size."""
    pairs = [make_pair(index, 40 + 10 * index, 90 - 12 * index) for index in range(5)]
    return made_once(tmp_path_factory, "native", lambda folder: run_transform(pairs, CROP, folder))


class Exported(NamedTuple):
    """A model and its signatures, in memory or saved and loaded again."""

    network: keras.Model
    served: ServedModel
    signatures: dict[str, Any]
    loaded: Any = None
    """What TensorFlow loads from the file, if there is one."""
    folder: Path | None = None

    def serve(self, *encoded: bytes, signature: str = "serving_default") -> dict[str, np.ndarray]:
        answer = self.signatures[signature](image=tf.constant(encoded))
        return {name: value.numpy() for name, value in answer.items()}


Exporter = Callable[..., Exported]


@pytest.fixture(scope="module")
def exported(transformed: Transformed, tmp_path_factory: pytest.TempPathFactory) -> Exporter:
    """Exports a small network with the inference settings that are given; the same ones once, if not much else between.

    With `saved` it goes through a file, which takes some seconds.
    """
    made: dict[tuple[Any, ...], Exported] = {}

    def make(
        of: Transformed = transformed, max_pixels: int = MAX_PIXELS, saved: bool = False, **settings: object
    ) -> Exported:
        key = (str(of.graph), of.config, max_pixels, saved, *sorted(settings.items()))
        if key not in made:
            keras.utils.set_random_seed(3)
            network = build_model(UNet(width=4, depth=2), of.config, NUM_CLASSES, np.full(3, 60.0), np.full(3, 50.0))
            layer = tft.TFTransformOutput(str(of.graph)).transform_features_layer()
            inference = InferenceConfig(**settings)  # type: ignore[arg-type]
            served = ServedModel([network], layer, of.config, CLASS_NAMES, max_pixels, inference)
            for oldest in list(made)[: len(made) - _KEPT + 1]:
                del made[oldest]
            made[key] = Exported(network, served, _in_memory(served))
            if saved:
                folder = tmp_path_factory.mktemp("export") / "new"
                export(served, str(folder))
                loaded = tf.saved_model.load(str(folder))
                made[key] = Exported(network, served, loaded.signatures, loaded, folder)
        return made[key]

    return make


def _in_memory(served: ServedModel) -> dict[str, Any]:
    return {name: getattr(served, name) for name in SIGNATURES}
