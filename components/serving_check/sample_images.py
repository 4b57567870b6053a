"""Test images of the serving check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from common import records
from common.band_image import for_request
from common.errors import UserError


class SampleImage(NamedTuple):
    """An image of the data, as an app would send it, and its record."""

    id: str
    encoded: bytes
    format: str
    height: int
    width: int
    record: bytes


def read_sample_images(patterns: Sequence[str], limit: int) -> list[SampleImage]:
    """The first `limit` images of the record files, in the order of their names.

    Raises:
        UserError: there is none.
    """
    files = sorted(path for pattern in patterns for path in tf.io.gfile.glob(pattern))
    serialized = tf.data.TFRecordDataset(files).take(limit).as_numpy_iterator() if files else ()
    images = [_sample_image(record) for record in serialized]
    if not images:
        raise UserError("the eval split is empty, so the serving check has nothing to send: raise data.split.eval")
    return images


def _sample_image(record: bytes) -> SampleImage:
    feature = tf.train.Example.FromString(record).features.feature
    return SampleImage(
        id=feature[records.IMAGE_ID].bytes_list.value[0].decode("utf-8", "replace"),
        encoded=for_request(feature[records.IMAGE_ENCODED].bytes_list.value[0]),
        format=feature[records.IMAGE_FORMAT].bytes_list.value[0].decode(),
        height=feature[records.IMAGE_HEIGHT].int64_list.value[0],
        width=feature[records.IMAGE_WIDTH].int64_list.value[0],
        record=record,
    )
