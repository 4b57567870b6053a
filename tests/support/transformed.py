"""A small data set of records and its real transform graph."""

from __future__ import annotations

import functools
import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from common import records
from components.transform.config import TransformConfig

CLASS_NAMES = ("background", "left", "right")
NUM_CLASSES = len(CLASS_NAMES)
TINY = TransformConfig(height=32, width=32, class_weights="inverse_root")
CROP = TransformConfig(mode="crop", height=32, width=32)


class Transformed(NamedTuple):
    """What Transform leaves behind, and what it was given."""

    pairs: list[dict[str, bytes]]
    graph: Path
    train_files: list[str]
    config: TransformConfig


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def make_pair(index: int, height: int = 40, width: int = 56) -> dict[str, bytes]:
    """A noisy picture with a bright square of class 1 + index % 2, and a row of void."""
    random = np.random.default_rng(index)
    image_HWC = random.integers(0, 60, [height, width, 3]).astype(np.uint8)
    mask_HW = np.zeros([height, width], np.uint8)
    top, left = random.integers(0, 20, 2)
    label = 1 + index % 2
    image_HWC[top : top + 16, left : left + 16, label] += 180
    mask_HW[top : top + 16, left : left + 16] = label
    mask_HW[-1] = records.VOID
    return {
        records.IMAGE_ENCODED: png(image_HWC),
        records.MASK_ENCODED: png(mask_HW),
        records.IMAGE_ID: f"pair-{index:02d}".encode(),
    }


def run_transform(
    pairs: list[dict[str, bytes]],
    config: TransformConfig,
    directory: Path,
    slice_column: str | None = None,
    **more: Any,
) -> Transformed:
    """Runs the real `preprocessing_fn` through TensorFlow Transform on Beam and writes its records."""
    import tensorflow as tf
    import tensorflow_transform.beam as tft_beam
    from tensorflow_transform.coders import example_proto_coder
    from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

    from components.transform.features import COMPRESSION
    from components.transform.preprocessing import preprocessing_fn

    spec = {name: tf.io.FixedLenFeature([], tf.string) for name in pairs[0]}
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(spec))
    settings: dict[str, Any] = {
        "transform": config.model_dump_json(),
        "num_classes": NUM_CLASSES,
        "slice_column": slice_column,
    }
    settings |= more
    with tft_beam.Context(temp_dir=str(directory / "scratch")):
        (rows, row_metadata), transform_fn = (pairs, metadata) | tft_beam.AnalyzeAndTransformDataset(
            functools.partial(preprocessing_fn, custom_config=settings)
        )
        transform_fn | tft_beam.WriteTransformFn(str(directory / "graph"))
    coder = example_proto_coder.ExampleProtoCoder(row_metadata.schema)
    file = str(directory / "train-00000.gz")
    with tf.io.TFRecordWriter(file, COMPRESSION) as writer:
        for row in rows:
            writer.write(coder.encode(row))
    return Transformed(pairs, directory / "graph", [file], config)
