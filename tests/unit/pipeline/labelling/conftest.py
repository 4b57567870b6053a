"""A model whose answers are known, and folders of images for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.made_once import made_once
from tests.support.serving import TILE, export_network

WriteImage = Callable[..., Path]


def export_by_colour(folder: Path, steepness: float = 10) -> Path:
    """A model that finds class 1 where there is more red than green and class 0 elsewhere; unsure where they are equal.

    Classes 2 and 3 have no probability.
    """
    import tensorflow as tf
    import tf_keras as keras

    def scores(image_BHWC: tf.Tensor) -> tf.Tensor:
        more_red = (image_BHWC[..., :1] - image_BHWC[..., 1:2]) / 255 * steepness
        return tf.concat([-more_red, more_red, *[0 * more_red - 50] * 2], axis=-1)

    image = keras.Input([TILE, TILE, 3])
    export_network(keras.Model(image, keras.layers.Lambda(scores)(image)), str(folder / "model"), "resize")
    return folder / "model"


@pytest.fixture(scope="session")
def by_colour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the SavedModel; not to be changed."""
    return made_once(tmp_path_factory, "by_colour", export_by_colour)


@pytest.fixture
def write_image(tmp_path: Path) -> WriteImage:
    """Writes an image whose left half has one colour and whose right half another, below `tmp_path/photos`."""

    def write(name: str, left: tuple[int, int, int], right: tuple[int, int, int], size: int = 40) -> Path:
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image_HWC = np.zeros([size, size, 3], np.uint8)
        image_HWC[:, : size // 2], image_HWC[:, size // 2 :] = left, right
        Image.fromarray(image_HWC).save(path)
        return path

    return write
