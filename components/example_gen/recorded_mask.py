"""The mask in a record."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from tensorflow.core.example import example_pb2

from common import records
from components.example_gen.label_map import Mask


def mask_in(record: bytes) -> Mask:
    """Returns the mask of a serialised record."""
    feature = example_pb2.Example.FromString(record).features.feature
    encoded: bytes = feature[records.MASK_ENCODED].bytes_list.value[0]
    with Image.open(io.BytesIO(encoded)) as image:
        return np.asarray(image)
