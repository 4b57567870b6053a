"""The pictures that the check sends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from common import records
from common.errors import UserError


class Picture(NamedTuple):
    """A picture of the data, as an app would send it, and the record that it is from."""

    id: str
    encoded: bytes
    format: str
    height: int
    width: int
    record: bytes


def read_pictures(patterns: Sequence[str], limit: int) -> list[Picture]:
    """The first `limit` pictures of the record files, in the order of their names.

    Raises:
        UserError: there is none.
    """
    files = sorted(path for pattern in patterns for path in tf.io.gfile.glob(pattern))
    serialized = tf.data.TFRecordDataset(files).take(limit).as_numpy_iterator() if files else ()
    pictures = [_picture(record) for record in serialized]
    if not pictures:
        raise UserError("the eval split is empty, so the serving check has nothing to send: raise data.split.eval")
    return pictures


def _picture(record: bytes) -> Picture:
    feature = tf.train.Example.FromString(record).features.feature
    return Picture(
        id=feature[records.IMAGE_ID].bytes_list.value[0].decode("utf-8", "replace"),
        encoded=feature[records.IMAGE_ENCODED].bytes_list.value[0],
        format=feature[records.IMAGE_FORMAT].bytes_list.value[0].decode(),
        height=feature[records.IMAGE_HEIGHT].int64_list.value[0],
        width=feature[records.IMAGE_WIDTH].int64_list.value[0],
        record=record,
    )
