"""A model of each kind, and records that it is asked about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from common import records
from common.compatibility import skip_autograph_for_keras
from components.serving_check.reference import Export, read_export
from components.serving_check.sample_images import SampleImage, read_sample_images
from tests.support.serving import CLASSES, TILE, export_network, picture, trainer_settings
from tests.support.transformed import png

SIZES = [(40, 56, "PNG"), (90, 33, "JPEG"), (40, 56, "PNG")]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """`resize` and `tile`, and `other`, a model like `resize` with other weights."""
    skip_autograph_for_keras()
    folder = tmp_path_factory.mktemp("models")
    for seed, (name, mode) in enumerate({"resize": "resize", "tile": "tile", "other": "resize"}.items()):
        keras.utils.set_random_seed(seed)
        image = keras.Input([TILE, TILE, 3])
        head = keras.layers.Conv2D(CLASSES, 3, padding="same")
        network = keras.Model(image, head(keras.layers.Rescaling(1 / 255)(image)))
        export_network(network, str(folder / name), mode)
    yield folder


@pytest.fixture
def export() -> Export:
    return read_export(trainer_settings("resize"))


@pytest.fixture(scope="session")
def record_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Records as ingestion makes them."""
    path = str(tmp_path_factory.mktemp("records") / "data_tfrecord-00000-of-00001")
    with tf.io.TFRecordWriter(path) as writer:
        for index, (height, width, kind) in enumerate(SIZES):
            writer.write(_record(index, height, width, kind).SerializeToString())
    return path


@pytest.fixture
def pictures(record_file: str) -> list[SampleImage]:
    return read_sample_images([record_file], 10)


def _record(index: int, height: int, width: int, kind: str) -> tf.train.Example:
    mask_HW = np.random.default_rng(index).integers(0, CLASSES, [height, width]).astype(np.uint8)
    mask_HW[-1] = records.VOID
    texts = {
        records.IMAGE_ID: f"pair-{index}".encode(),
        records.IMAGE_ENCODED: picture(height, width, kind),
        records.IMAGE_FORMAT: kind.lower().encode(),
        records.MASK_ENCODED: png(mask_HW),
    }
    numbers = {records.IMAGE_HEIGHT: height, records.IMAGE_WIDTH: width}
    feature = {name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[text])) for name, text in texts.items()}
    for name, number in numbers.items():
        feature[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=[number]))
    return tf.train.Example(features=tf.train.Features(feature=feature))
