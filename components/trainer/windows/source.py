"""The compact records of images at their own size: what is known of all of them, and the images that are held."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from common.errors import UserError
from components.trainer.record_files import Files, read_records
from components.trainer.windows.strips import NativeImage, Strips, parse_image
from components.transform import features

_SMALL = {
    features.ID: tf.io.FixedLenFeature([], tf.string),
    features.HEIGHT: tf.io.FixedLenFeature([], tf.int64),
    features.WIDTH: tf.io.FixedLenFeature([], tf.int64),
    features.SLICE: tf.io.FixedLenFeature([], tf.string),
}


class Held(NamedTuple):
    """The images of a split in memory, in the order of their names; all tensors are on the CPU."""

    image_S: tf.Tensor
    """Raw bytes of the strips of all images."""
    mask_S: tf.Tensor
    class_pixels_SC: tf.Tensor
    end_N: tf.Tensor
    """One strip after the last of each image, int64."""
    rows_N: tf.Tensor
    size_N2: tf.Tensor
    mean_NC: tf.Tensor
    std_NC: tf.Tensor

    def image(self, index: tf.Tensor) -> NativeImage:
        """Returns an image, without a copy of it."""
        first = tf.where(index > 0, self.end_N[tf.maximum(index - 1, 0)], 0)
        counts_TC = self.class_pixels_SC[first : self.end_N[index]]
        strips = Strips(self.image_S, self.mask_S, first, self.rows_N[index], self.size_N2[index], counts_TC)
        return NativeImage(strips, self.mean_NC[index], self.std_NC[index])


class NativeRecords(NamedTuple):
    """The records of a split."""

    files: Files
    held: Held | None
    """The images; `None` if they do not fit into the memory limit."""
    height_N: npt.NDArray[np.int64]
    width_N: npt.NDArray[np.int64]
    slice_N: tuple[bytes, ...]
    class_pixels_C: npt.NDArray[np.int64]
    """Pixels of each class in the split."""


def read_native(files: Files, num_classes: int, limit: int) -> NativeRecords:
    """Reads the records once; all are held in memory if they take at most `limit` bytes.

    Raises:
        UserError: there is no record.
    """
    spec = _SMALL | {features.CLASS_PIXELS: tf.io.FixedLenFeature([num_classes], tf.int64)}
    held: list[NativeImage] | None = []
    size, rows = 0, []
    in_strips = tf.function(lambda record: parse_image(record, num_classes), autograph=False)
    with tf.device("CPU"):
        for record in read_records(files):
            row = tf.io.parse_single_example(record, spec)
            rows.append({name: value.numpy() for name, value in row.items()})
            size += int(tf.strings.length(record))
            if size > limit:
                held = None
            if held is not None:
                held.append(in_strips(record))
        if not rows:
            raise UserError("a split has no record: every pair was quarantined, or its share in data.split is 0")
        order = sorted(range(len(rows)), key=lambda place: rows[place][features.ID])
        return NativeRecords(
            files=files,
            held=None if held is None else _hold([held[place] for place in order]),
            height_N=np.array([rows[place][features.HEIGHT] for place in order]),
            width_N=np.array([rows[place][features.WIDTH] for place in order]),
            slice_N=tuple(rows[place][features.SLICE] for place in order),
            class_pixels_C=np.sum([row[features.CLASS_PIXELS] for row in rows], axis=0),
        )


def _hold(images: Sequence[NativeImage]) -> Held:
    strips = [image.strips for image in images]
    return Held(
        image_S=tf.concat([image.image_S for image in strips], axis=0),
        mask_S=tf.concat([image.mask_S for image in strips], axis=0),
        class_pixels_SC=tf.concat([image.class_pixels_TC for image in strips], axis=0),
        end_N=tf.cumsum(tf.stack([tf.size(image.image_S, tf.int64) for image in strips])),
        rows_N=tf.stack([image.rows for image in strips]),
        size_N2=tf.stack([image.size_2 for image in strips]),
        mean_NC=tf.stack([image.mean_C for image in images]),
        std_NC=tf.stack([image.std_C for image in images]),
    )


def streamed(records: NativeRecords) -> tf.data.Dataset:
    """Returns the serialised records in the order of the files' names."""
    return read_records(records.files)


def parse_small(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the slice value and the area of a record."""
    parsed = tf.io.parse_single_example(serialized, _SMALL)
    return parsed[features.SLICE], parsed[features.HEIGHT] * parsed[features.WIDTH]
