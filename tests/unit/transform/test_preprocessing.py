"""The transform graph, as TensorFlow Transform makes it: what it computes, and that it serves as it trained."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from PIL import Image

from common import records
from components.trainer.input_pipeline import COMPRESSION, read_constants
from components.transform import features
from components.transform.config import TransformConfig
from tests.support.transformed import NUM_CLASSES, Transformed, make_pair, run_transform


def training_rows(transformed: Transformed) -> dict[bytes, dict[str, np.ndarray]]:
    spec = tft.TFTransformOutput(str(transformed.graph)).transformed_feature_spec()
    rows = {}
    for record in tf.data.TFRecordDataset(transformed.train_files, COMPRESSION):
        row = {name: value.numpy() for name, value in tf.io.parse_single_example(record, spec).items()}
        rows[row[features.ID]] = row
    return rows


@pytest.mark.parametrize("aspect", ["stretch", "letterbox"])
def test_serving_sees_the_pixels_that_training_saw(tmp_path: Path, aspect: str) -> None:
    pairs = [make_pair(0), make_pair(1, 31, 90), make_pair(2, 200, 70)]
    buffer = io.BytesIO()
    Image.open(io.BytesIO(pairs[2][records.IMAGE_ENCODED])).save(buffer, "JPEG")
    pairs[2][records.IMAGE_ENCODED] = buffer.getvalue()
    config = TransformConfig(height=48, width=32, aspect=aspect)
    transformed = run_transform(pairs, config, tmp_path)
    rows = training_rows(transformed)
    layer = tft.TFTransformOutput(str(transformed.graph)).transform_features_layer()
    served = layer({records.IMAGE_ENCODED: tf.constant([pair[records.IMAGE_ENCODED] for pair in pairs])})
    for pair, image in zip(pairs, served[features.IMAGE].numpy(), strict=True):
        assert image == rows[pair[records.IMAGE_ID]][features.IMAGE]


def test_records_hold_little_more_than_their_pixels(tmp_path: Path) -> None:
    config = TransformConfig(height=128, width=128)
    transformed = run_transform([make_pair(0)], config, tmp_path)
    (record,) = tf.data.TFRecordDataset(transformed.train_files, COMPRESSION)
    assert len(record.numpy()) <= 1.1 * 128 * 128 * 4


def test_analyzers_give_the_statistics_of_the_resized_training_pictures(transformed: Transformed) -> None:
    rows = training_rows(transformed).values()
    pixels = np.stack([np.frombuffer(row[features.IMAGE], np.uint8) for row in rows]).reshape(-1, 3).astype(float)
    masks = np.concatenate([np.frombuffer(row[features.MASK], np.uint8) for row in rows])
    constants = read_constants(transformed.train_files, NUM_CLASSES)
    np.testing.assert_allclose(constants.channel_mean_3, pixels.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(constants.channel_std_3, pixels.std(axis=0), rtol=1e-3)
    share = np.bincount(masks, minlength=256)[:NUM_CLASSES] / (masks != records.VOID).sum()
    np.testing.assert_allclose(constants.class_weight_C, share**-0.5 / (share**-0.5).mean(), rtol=1e-4)
