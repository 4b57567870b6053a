"""The compact records of images at their own size: what is known of all of them, and one of them parsed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from common.errors import UserError
from components.transform import features
from components.transform.pixel_format import RGB, PixelFormat

_SMALL = {
    features.ID: tf.io.FixedLenFeature([], tf.string),
    features.HEIGHT: tf.io.FixedLenFeature([], tf.int64),
    features.WIDTH: tf.io.FixedLenFeature([], tf.int64),
    features.SLICE: tf.io.FixedLenFeature([], tf.string),
}


class NativeRecords(NamedTuple):
    """The records of a split."""

    files: tuple[str, ...]
    held: tuple[bytes, ...] | None
    """The records in the order of their names; `None` if they do not fit into the memory limit."""
    height_N: npt.NDArray[np.int64]
    width_N: npt.NDArray[np.int64]
    slice_N: tuple[bytes, ...]
    class_pixels_C: npt.NDArray[np.int64]
    """Pixels of each class in the split."""


class NativeImage(NamedTuple):
    """An image at its own size, its mask, and its statistics."""

    image_HWC: tf.Tensor
    mask_HW: tf.Tensor
    mean_C: tf.Tensor
    std_C: tf.Tensor
    class_pixels_C: tf.Tensor


def read_native(files: Sequence[str], num_classes: int, limit: int) -> NativeRecords:
    """Reads the records once; all are held in memory if they take at most `limit` bytes.

    Raises:
        UserError: there is no record.
    """
    spec = _SMALL | {features.CLASS_PIXELS: tf.io.FixedLenFeature([num_classes], tf.int64)}
    held: list[bytes] | None = []
    size, rows = 0, []
    records = tf.data.TFRecordDataset(sorted(files), features.COMPRESSION)
    parsed = records.map(lambda record: (record, tf.io.parse_single_example(record, spec)))
    for record, row in parsed.as_numpy_iterator():
        rows.append(row)
        size += len(record)
        if held is not None:
            held.append(record)
        if size > limit:
            held = None
    if not rows:
        raise UserError("a split has no record: every pair was quarantined, or its share in data.split is 0")
    order = sorted(range(len(rows)), key=lambda place: rows[place][features.ID])
    return NativeRecords(
        files=tuple(sorted(files)),
        held=None if held is None else tuple(held[place] for place in order),
        height_N=np.array([rows[place][features.HEIGHT] for place in order]),
        width_N=np.array([rows[place][features.WIDTH] for place in order]),
        slice_N=tuple(rows[place][features.SLICE] for place in order),
        class_pixels_C=np.sum([row[features.CLASS_PIXELS] for row in rows], axis=0),
    )


def streamed(records: NativeRecords, shuffled: bool) -> tf.data.Dataset:
    """Returns the serialised records, read from several files at once, or in order."""
    if not shuffled:
        return tf.data.TFRecordDataset(list(records.files), features.COMPRESSION)
    shards = tf.data.Dataset.from_tensor_slices(list(records.files)).shuffle(len(records.files), seed=0)
    return shards.interleave(
        lambda shard: tf.data.TFRecordDataset(shard, features.COMPRESSION), num_parallel_calls=tf.data.AUTOTUNE
    )


def parse_small(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the slice value and the area of a record."""
    parsed = tf.io.parse_single_example(serialized, _SMALL)
    return parsed[features.SLICE], parsed[features.HEIGHT] * parsed[features.WIDTH]


def parse_image(serialized: tf.Tensor, num_classes: int, pixels: PixelFormat = RGB) -> NativeImage:
    """Decodes a record."""
    per_band = tf.io.FixedLenFeature([pixels.bands], tf.float32)
    spec = {
        features.IMAGE: tf.io.FixedLenFeature([], tf.string),
        features.MASK: tf.io.FixedLenFeature([], tf.string),
        features.HEIGHT: tf.io.FixedLenFeature([], tf.int64),
        features.WIDTH: tf.io.FixedLenFeature([], tf.int64),
        features.PICTURE_MEAN: per_band,
        features.PICTURE_STD: per_band,
        features.CLASS_PIXELS: tf.io.FixedLenFeature([num_classes], tf.int64),
    }
    parsed = tf.io.parse_single_example(serialized, spec)
    height, width = parsed[features.HEIGHT], parsed[features.WIDTH]
    samples_N = tf.io.decode_raw(parsed[features.IMAGE], tf.as_dtype(pixels.pixel_type))
    return NativeImage(
        tf.ensure_shape(tf.reshape(samples_N, tf.stack([height, width, pixels.bands])), [None, None, pixels.bands]),
        tf.reshape(tf.io.decode_raw(parsed[features.MASK], tf.uint8), tf.stack([height, width])),
        parsed[features.PICTURE_MEAN],
        parsed[features.PICTURE_STD],
        parsed[features.CLASS_PIXELS],
    )
