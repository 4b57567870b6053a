"""Bands in the transform graph: every bit is decoded, values are scaled as configured, in both modes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from pydantic import ValidationError

from common import records
from common.band_image import DEPTHS, pack_bands
from components.transform import features
from components.transform.bands import Range, decode_bands, drawn_samples, scaled_values
from components.transform.config import TransformConfig
from components.transform.features import COMPRESSION
from components.transform.image_ops import resize_image
from components.transform.values_config import FixedRange, PercentileRange
from tests.support.transformed import Transformed, make_pair, run_transform

BANDS = 5
LOW_BYTE_BAND = 4


def bands_of(dtype: str, height: int = 40, width: int = 56, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    if dtype == "float32":
        return random.normal(100, 30, (height, width, BANDS)).astype(dtype)
    return random.integers(0, np.iinfo(dtype).max, (height, width, BANDS), dtype, endpoint=True)


def make_band_pair(index: int, dtype: str = "uint16", height: int = 40, width: int = 56) -> dict[str, bytes]:
    """A pair of `make_pair` with its class only in the low byte of the last band, and the image itself."""
    pair = make_pair(index, height, width)
    image_HWC = bands_of(dtype, height, width, index)
    if dtype == "uint16":
        mask_HW = tf.io.decode_png(pair[records.MASK_ENCODED])[..., 0].numpy()
        image_HWC[..., LOW_BYTE_BAND] = 0x1200 + 40 * mask_HW.astype(np.uint16) % 256
    return pair | {records.IMAGE_ENCODED: pack_bands(image_HWC)}


def rows_of(transformed: Transformed) -> dict[bytes, dict[str, np.ndarray]]:
    spec = tft.TFTransformOutput(str(transformed.graph)).transformed_feature_spec()
    parsed = [
        {name: value.numpy() for name, value in tf.io.parse_single_example(record, spec).items()}
        for record in tf.data.TFRecordDataset(transformed.train_files, COMPRESSION)
    ]
    return {row[features.ID]: row for row in parsed}


def transform(pairs: list[dict[str, bytes]], config: TransformConfig, out: Path, depth: str = "uint16") -> Transformed:
    return run_transform(pairs, config, out, bands=BANDS, depth=depth)


def pixels(row: dict[str, Any], height: int, width: int) -> np.ndarray:
    return np.frombuffer(row[features.IMAGE], np.float32).reshape(height, width, BANDS)


@pytest.mark.parametrize("dtype", DEPTHS)
def test_the_graph_decodes_what_ingestion_packed(dtype: str) -> None:
    image_HWC = bands_of(dtype)
    decoded = decode_bands(tf.constant(pack_bands(image_HWC)), dtype, BANDS)
    assert decoded.dtype.name == dtype
    np.testing.assert_array_equal(decoded, image_HWC)


@pytest.mark.parametrize(("depth", "bands"), [("uint8", BANDS), ("uint16", 4)])
def test_another_depth_or_number_of_bands_fails(depth: str, bands: int) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="depth and bands"):
        decode_bands(tf.constant(pack_bands(bands_of("uint16"))), depth, bands)


def test_the_drawn_pixels_are_from_all_rows_and_columns() -> None:
    rows, columns = np.mgrid[:256, :256]
    drawn_NC = drawn_samples(tf.constant(np.stack([rows, columns], axis=-1).astype(np.uint16))).numpy()
    assert drawn_NC.shape == (4096, 2)
    for place in range(2):
        counts = np.bincount(drawn_NC[:, place].astype(int), minlength=256)
        assert (counts.min(), counts.max()) == (pytest.approx(16, abs=8), pytest.approx(16, abs=8))


def test_values_are_scaled_by_band_and_clipped() -> None:
    limits = Range(tf.constant([0.0, 100.0, 5.0]), tf.constant([65535.0, 200.0, 5.0]))
    scaled = scaled_values(tf.constant([[[257, 150, 5], [65535, 90, 9], [1, 300, 0]]], tf.uint16), limits).numpy()
    np.testing.assert_allclose(scaled, [[[1, 127.5, 0], [255, 0, 0], [1 / 257, 255, 0]]], rtol=1e-6)


def test_in_mode_crop_records_keep_every_sample(tmp_path: Path) -> None:
    pairs = [make_band_pair(0), make_band_pair(1, height=31, width=90)]
    rows = rows_of(transform(pairs, TransformConfig(mode="crop", height=32, width=32), tmp_path))
    for index, (height, width) in enumerate([(40, 56), (31, 90)]):
        row = rows[pairs[index][records.IMAGE_ID]]
        image_HWC = decode_bands(tf.constant(pairs[index][records.IMAGE_ENCODED]), "uint16", BANDS).numpy()
        kept_HWC = pixels(row, height, width)
        np.testing.assert_array_equal(np.rint(kept_HWC.astype(np.float64) * 257), image_HWC)
        np.testing.assert_allclose(row[features.PICTURE_MEAN], kept_HWC.mean((0, 1)), rtol=1e-4)
        np.testing.assert_allclose(row[features.PICTURE_STD], kept_HWC.std((0, 1)), rtol=1e-3)
    everything_NC = np.concatenate([pixels(rows[b"pair-00"], 40, 56), pixels(rows[b"pair-01"], 31, 90)], axis=None)
    np.testing.assert_allclose(row[features.CHANNEL_MEAN], everything_NC.reshape(-1, BANDS).mean(0), rtol=1e-4)
    np.testing.assert_allclose(row[features.CHANNEL_STD], everything_NC.reshape(-1, BANDS).std(0), rtol=1e-2)


def test_in_mode_resize_values_are_scaled_before_the_image_is_resized(tmp_path: Path) -> None:
    config = TransformConfig(height=32, width=48, values=FixedRange(low=1000, high=50_000))
    pairs = [make_band_pair(0), make_band_pair(1)]
    rows = rows_of(transform(pairs, config, tmp_path))
    for pair in pairs:
        image_HWC = decode_bands(tf.constant(pair[records.IMAGE_ENCODED]), "uint16", BANDS)
        scaled_HWC = scaled_values(image_HWC, Range(tf.fill([BANDS], 1000.0), tf.fill([BANDS], 50_000.0)))
        wanted_HWC = resize_image(scaled_HWC, 32, 48, "stretch")
        np.testing.assert_allclose(pixels(rows[pair[records.IMAGE_ID]], 32, 48), wanted_HWC, rtol=1e-5, atol=1e-4)


@pytest.fixture(scope="module")
def by_percentiles(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Transformed:
    """Three images of a type, at their own size, whose values are scaled by the percentiles 2 and 98."""
    pairs = [make_band_pair(index, request.param) for index in range(3)]
    config = TransformConfig(mode="crop", height=32, width=32, values=PercentileRange(low=2, high=98))
    return transform(pairs, config, tmp_path_factory.mktemp("by_percentiles"), request.param)


def of_types(*types: str) -> pytest.MarkDecorator:
    """Gives a test the images of each type, transformed once for all tests."""
    pairs = [(dtype, dtype) for dtype in types]
    return pytest.mark.parametrize(("by_percentiles", "dtype"), pairs, indirect=["by_percentiles"], scope="module")


@of_types("uint16", "float32")
def test_percentiles_are_those_of_the_training_images(by_percentiles: Transformed, dtype: str) -> None:
    transformed, pairs = by_percentiles, by_percentiles.pairs
    stored = [decode_bands(tf.constant(pair[records.IMAGE_ENCODED]), dtype, BANDS).numpy() for pair in pairs]
    low_C, high_C = np.percentile(np.stack(stored).reshape(-1, BANDS).astype(np.float64), [2, 98], axis=0)
    for pair, image_HWC in zip(pairs, stored, strict=True):
        kept_HWC = pixels(rows_of(transformed)[pair[records.IMAGE_ID]], 40, 56)
        wanted_HWC = np.clip((image_HWC - low_C) / (high_C - low_C), 0, 1) * 255
        np.testing.assert_allclose(kept_HWC, wanted_HWC, atol=255 * 0.02)


@of_types("uint16")
def test_a_class_in_the_low_byte_of_a_band_reaches_the_network(by_percentiles: Transformed, dtype: str) -> None:
    row = rows_of(by_percentiles)[by_percentiles.pairs[0][records.IMAGE_ID]]
    mask_HW = np.frombuffer(row[features.MASK], np.uint8).reshape(40, 56)
    band_HW = pixels(row, 40, 56)[..., LOW_BYTE_BAND]
    assert abs(band_HW[mask_HW == 1].mean() - band_HW[mask_HW == 0].mean()) > 30


def test_serving_sees_the_samples_that_training_saw(tmp_path: Path) -> None:
    pairs = [make_band_pair(0), make_band_pair(1, height=31, width=90)]
    transformed = transform(pairs, TransformConfig(height=32, width=32, values=PercentileRange()), tmp_path)
    layer = tft.TFTransformOutput(str(transformed.graph)).transform_features_layer()
    served = layer({records.IMAGE_ENCODED: tf.constant([pair[records.IMAGE_ENCODED] for pair in pairs])})
    rows = rows_of(transformed)
    for pair, image in zip(pairs, served[features.IMAGE].numpy(), strict=True):
        assert image == rows[pair[records.IMAGE_ID]][features.IMAGE]


@pytest.mark.parametrize("settings", [FixedRange, PercentileRange])
def test_a_range_must_rise(settings: type[FixedRange] | type[PercentileRange]) -> None:
    with pytest.raises(ValidationError, match="must be below high"):
        settings(low=5, high=5)
