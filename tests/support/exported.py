"""What the step that exports formats reads."""

from __future__ import annotations

import tensorflow as tf

from common import records
from components.exporter.samples import LabelledImage


def record(image: LabelledImage) -> bytes:
    """A record of an image and its mask."""
    texts = {
        records.IMAGE_ID: image.id.encode(),
        records.IMAGE_ENCODED: image.encoded,
        records.MASK_ENCODED: image.truth,
    }
    feature = {name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[text])) for name, text in texts.items()}
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()
