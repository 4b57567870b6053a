"""A model that resizes and one that slides its window, and images that they are asked about."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tf_keras as keras

from common.compatibility import skip_autograph_for_keras
from components.exporter.samples import InputSettings, LabelledImage, input_settings
from components.exporter.saved_model import SavedModel
from tests.support.made_once import made_once
from tests.support.serving import CLASSES, TILE, export_network, picture, trainer_settings
from tests.support.transformed import png


def export_small(folder: Path, mode: str) -> None:
    """A network whose masks have all classes."""
    skip_autograph_for_keras()
    keras.utils.set_random_seed(0)
    image = keras.Input([TILE, TILE, 3])
    hidden = keras.layers.Conv2D(8, 3, padding="same", activation="relu")(keras.layers.Rescaling(1 / 255)(image))
    export_network(keras.Model(image, keras.layers.Conv2D(CLASSES, 3, padding="same")(hidden)), str(folder), mode)


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SavedModel that resizes; not to be changed."""
    return _made(tmp_path_factory, "resize")


@pytest.fixture(scope="session")
def model(model_dir: Path) -> SavedModel:
    return SavedModel(str(model_dir))


@pytest.fixture(scope="session")
def tiled_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SavedModel that slides its window; not to be changed."""
    return _made(tmp_path_factory, "tile")


def _made(tmp_path_factory: pytest.TempPathFactory, mode: str) -> Path:
    def make(folder: Path) -> Path:
        export_small(folder / "model", mode)
        return folder / "model"

    return made_once(tmp_path_factory, f"export_{mode}", make)


@pytest.fixture
def settings() -> InputSettings:
    return input_settings(trainer_settings("resize"))


@pytest.fixture(scope="session")
def images() -> list[LabelledImage]:
    """Images larger and smaller than the model's input, whose truth is noise with a row of void."""
    return [_image(index, *size) for index, size in enumerate([(40, 56), (90, 33), (17, 24)])]


def _image(index: int, height: int, width: int) -> LabelledImage:
    truth_HW = np.random.default_rng(index).integers(0, CLASSES, [height, width]).astype(np.uint8)
    truth_HW[-1] = 255
    return LabelledImage(f"image-{index}", picture(height, width), png(truth_HW))
