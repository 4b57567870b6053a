"""The transform graph, as TensorFlow Transform makes it: what it computes, and that it serves as it trained."""

from __future__ import annotations

import functools
import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from PIL import Image

from common import records
from components.trainer.input_pipeline import read_constants
from components.transform import features
from components.transform.config import TransformConfig
from components.transform.features import COMPRESSION
from tests.support.transformed import NUM_CLASSES, Transformed, make_pair, run_transform

Cropped = Callable[[float], Transformed]


@pytest.fixture(scope="module")
def cropped(tmp_path_factory: pytest.TempPathFactory) -> Cropped:
    """Images at their own size times a scale, with a slice; each scale is transformed once."""

    @functools.cache
    def transform(scale: float) -> Transformed:
        pairs = [make_pair(0), make_pair(1, 31, 90), make_pair(2, 200, 70)]
        pairs = [pair | {records.slice_feature("kind"): b"odd"} for pair in pairs]
        config = TransformConfig(mode="crop", height=32, width=32, scale=scale, class_weights="inverse_root")
        return run_transform(pairs, config, tmp_path_factory.mktemp("cropped"), slice_column="kind")

    return transform


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


@pytest.mark.parametrize(
    ("aspect", "digest"),
    [
        ("stretch", "3356999a72eafa459556dc0eb4ad53d7a1aa76cdd0398a1430ead4fc7e32c5ce"),
        ("letterbox", "5ad9c215c0534b286865208998563d1a65b865fbadcc65305adf204e1a8abf08"),
    ],
)
def test_records_of_resized_images_stay_the_same_byte_for_byte(tmp_path: Path, aspect: str, digest: str) -> None:
    config = TransformConfig(height=48, width=32, aspect=aspect, class_weights="inverse_root")
    pairs = [make_pair(0), make_pair(1, 31, 90), make_pair(2, 200, 70)]
    transformed = run_transform(pairs, config, tmp_path)
    records_now = sorted(
        tf.train.Example.FromString(record).SerializeToString(deterministic=True)
        for record in tf.data.TFRecordDataset(transformed.train_files, COMPRESSION).as_numpy_iterator()
    )
    assert hashlib.sha256(b"".join(records_now)).hexdigest() == digest


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_in_mode_crop_records_keep_images_at_their_own_size(cropped: Cropped, scale: float) -> None:
    transformed = cropped(scale)
    rows = training_rows(transformed)
    for pair in transformed.pairs:
        row = rows[pair[records.IMAGE_ID]]
        image_HWC = tf.io.decode_png(pair[records.IMAGE_ENCODED])
        mask_HW1 = tf.io.decode_png(pair[records.MASK_ENCODED])
        height, width = (round(scale * side) for side in mask_HW1.shape[:2])
        assert (row[features.HEIGHT], row[features.WIDTH], row[features.SLICE]) == (height, width, b"odd")
        seen_HWC = np.frombuffer(row[features.IMAGE], np.uint8).reshape(height, width, 3)
        resized = tf.image.resize(image_HWC, [height, width], antialias=True).numpy()
        np.testing.assert_array_equal(seen_HWC, np.round(resized))
        seen_HW1 = np.frombuffer(row[features.MASK], np.uint8).reshape(height, width, 1)
        np.testing.assert_array_equal(seen_HW1, tf.image.resize(mask_HW1, [height, width], method="nearest"))
        assert (
            row[features.CLASS_PIXELS].tolist() == np.bincount(seen_HW1.ravel(), minlength=256)[:NUM_CLASSES].tolist()
        )
        pixels = image_HWC.numpy().astype(float)
        np.testing.assert_allclose(row[features.PICTURE_MEAN], pixels.mean(axis=(0, 1)), rtol=1e-5)
        np.testing.assert_allclose(row[features.PICTURE_STD], pixels.std(axis=(0, 1)), rtol=1e-5)


def test_analyzers_weigh_images_at_their_own_size_by_their_pixels(cropped: Cropped) -> None:
    transformed = cropped(1.0)
    pairs = transformed.pairs
    constants = read_constants(transformed.train_files, NUM_CLASSES)
    pixels = np.concatenate([tf.io.decode_png(pair[records.IMAGE_ENCODED]).numpy().reshape(-1, 3) for pair in pairs])
    masks = np.concatenate([tf.io.decode_png(pair[records.MASK_ENCODED]).numpy().ravel() for pair in pairs])
    np.testing.assert_allclose(constants.channel_mean_C, pixels.astype(float).mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(constants.channel_std_C, pixels.astype(float).std(axis=0), rtol=1e-3)
    share = np.bincount(masks, minlength=256)[:NUM_CLASSES] / (masks != records.VOID).sum()
    np.testing.assert_allclose(constants.class_weight_C, share**-0.5 / (share**-0.5).mean(), rtol=1e-4)


def test_records_hold_little_more_than_their_pixels(transformed: Transformed) -> None:
    for record in tf.data.TFRecordDataset(transformed.train_files, COMPRESSION):
        assert len(record.numpy()) <= 1.1 * 32 * 32 * 4


def test_analyzers_give_the_statistics_of_the_resized_training_pictures(transformed: Transformed) -> None:
    rows = training_rows(transformed).values()
    pixels = np.stack([np.frombuffer(row[features.IMAGE], np.uint8) for row in rows]).reshape(-1, 3).astype(float)
    masks = np.concatenate([np.frombuffer(row[features.MASK], np.uint8) for row in rows])
    constants = read_constants(transformed.train_files, NUM_CLASSES)
    np.testing.assert_allclose(constants.channel_mean_C, pixels.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(constants.channel_std_C, pixels.std(axis=0), rtol=1e-3)
    share = np.bincount(masks, minlength=256)[:NUM_CLASSES] / (masks != records.VOID).sum()
    np.testing.assert_allclose(constants.class_weight_C, share**-0.5 / (share**-0.5).mean(), rtol=1e-4)
