"""Records by the real ingestion's own functions, and what TFDV measures of them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from PIL import Image
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.example_gen.config import IndexLabels
from components.example_gen.features import build_example, measure
from components.example_gen.images import canonical_image
from components.example_gen.label_map import LabelMap, label_map
from components.example_gen.masks import canonical_mask
from components.statistics import statistics_of_records

CLASSES = ("background", "cell", "debris")
SIDE = 24


class Look(NamedTuple):
    """What the pictures of a set have in common."""

    light: float = 1.0
    """By what their brightness, 0.3…0.7, is multiplied."""
    debris: float = 0.5
    """The share of masks with class 2."""
    stain: str = "blue"
    """The value of the slice."""


USUAL = Look()


def make_records(count: int, seed: int, look: Look = USUAL, classes: Sequence[str] = CLASSES) -> list[bytes]:
    """Serialised records of noisy pictures with a square of class 1, and perhaps one of class 2."""
    random = np.random.default_rng(seed)
    meaning = label_map(IndexLabels(), classes)
    return [_make_record(f"pair-{seed}-{index}", random, look, classes, meaning) for index in range(count)]


def write_records(records: Iterable[bytes], file: Path) -> Path:
    """Writes one compressed record file, as ingestion does."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(file), tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
        for record in records:
            writer.write(record)
    return file


def measure_records(records: Iterable[bytes], directory: Path) -> statistics_pb2.DatasetFeatureStatisticsList:
    """The statistics of `records`, by Beam, with the options of the pipeline's StatisticsGen."""
    file = write_records(records, directory / "records.gz")
    return statistics_of_records(str(file), str(directory / "FeatureStats.pb"))


def _make_record(
    name: str, random: np.random.Generator, look: Look, classes: Sequence[str], meaning: LabelMap
) -> bytes:
    level = 255 * look.light * random.uniform(0.3, 0.7)
    image_HWC = np.clip(random.normal(level, level / 5, [SIDE, SIDE, 3]), 0, 255).astype(np.uint8)
    mask_HW = np.zeros([SIDE, SIDE], np.uint8)
    side = int(random.integers(4, 12))
    mask_HW[:side, :side] = 1
    if random.random() < look.debris:
        mask_HW[-3:, -3:] = 2
    image = canonical_image(_png(image_HWC), max_pixels=SIDE * SIDE)
    mask = canonical_mask(_png(mask_HW), image, meaning, SIDE * SIDE, max_aspect_difference=0.0)
    measures = measure(image.image_HWC, mask.mask_HW, len(classes))
    return build_example(name, image, mask, measures, classes, {"stain": look.stain}).SerializeToString()


def _png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()
