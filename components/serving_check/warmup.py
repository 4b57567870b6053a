"""The requests that a model server runs when it loads a version, before anybody waits for an answer.

TensorFlow Serving reads them from a TFRecord file of `PredictionLog` in the version's `assets.extra`
(servables/tensorflow/saved_model_warmup_util.h).  The pictures in it are grey, in the sizes and formats of the data:
nobody's picture travels with a model.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence

import tensorflow as tf
from PIL import Image
from tensorflow_serving.apis import prediction_log_pb2

from common.signatures import SERVING_DEFAULT
from components.serving_check.pictures import Picture
from segpipe_client.messages import request_bytes

WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
_MOST = 4
_KEPT_FORMATS = {"jpeg": "JPEG", "gif": "GIF"}  # A grey BMP would be as large as any other.


def write_warmup(model_dir: str, model_name: str, pictures: Sequence[Picture]) -> int:
    """Adds the requests to the SavedModel in `model_dir`; the same bytes for the same pictures.

    Returns:
        How many there are: one a size and format, four at most.
    """
    kinds = list(dict.fromkeys((picture.format, picture.height, picture.width) for picture in pictures))[:_MOST]
    path = os.path.join(model_dir, WARMUP_FILE)
    tf.io.gfile.makedirs(os.path.dirname(path))
    with tf.io.TFRecordWriter(path) as writer:
        for kind in kinds:
            log = prediction_log_pb2.PredictionLog()
            request = request_bytes(_grey(*kind), model_name, signature=SERVING_DEFAULT)
            log.predict_log.request.ParseFromString(request)
            writer.write(log.SerializeToString(deterministic=True))
    return len(kinds)


def _grey(kind: str, height: int, width: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), "grey").save(out, _KEPT_FORMATS.get(kind, "PNG"))
    return out.getvalue()
