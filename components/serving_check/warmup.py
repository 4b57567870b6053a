"""Warm-up requests that a model server runs when it loads a version.

TensorFlow Serving reads them from a TFRecord file of `PredictionLog` in the version's `assets.extra`
(servables/tensorflow/saved_model_warmup_util.h).  The images in it are grey, in the sizes and formats of the data:
no image of the data is shipped with a model.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from PIL import Image
from tensorflow_serving.apis import prediction_log_pb2

from common import records
from common.band_image import pack_plain, unpack_bands
from common.signatures import SERVING_DEFAULT, WARMUP_FILE
from components.serving_check.sample_images import SampleImage
from segpipe_client.messages import request_bytes

_MOST = 4
_KEPT_FORMATS = {"jpeg": "JPEG", "gif": "GIF"}  # BMP is uncompressed: a grey one would be as large as any other.


def write_warmup(model_dir: str, model_name: str, images: Sequence[SampleImage]) -> int:
    """Adds the requests to the SavedModel in `model_dir`; the same bytes for the same images.

    Returns:
        Their number: one per size and format, at most four.
    """
    kinds: dict[tuple[str, int, int], SampleImage] = {}
    for image in images:
        kinds.setdefault((image.format, image.height, image.width), image)
    examples = list(kinds.values())[:_MOST]
    path = os.path.join(model_dir, WARMUP_FILE)
    tf.io.gfile.makedirs(os.path.dirname(path))
    with tf.io.TFRecordWriter(path) as writer:
        for image in examples:
            log = prediction_log_pb2.PredictionLog()
            request = request_bytes(_grey(image), model_name, signature=SERVING_DEFAULT)
            log.predict_log.request.ParseFromString(request)
            writer.write(log.SerializeToString(deterministic=True))
    return len(examples)


def _grey(image: SampleImage) -> bytes:
    if image.format == records.BANDS_FORMAT:
        return pack_plain(np.zeros_like(unpack_bands(image.encoded)))
    out = io.BytesIO()
    Image.new("RGB", (image.width, image.height), "grey").save(out, _KEPT_FORMATS.get(image.format, "PNG"))
    return out.getvalue()
