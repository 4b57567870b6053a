"""Reads TensorFlow Serving's request log: TFRecords with `PredictionLog` (apis/prediction_log.proto).

Its `LogMetadata` has the time in seconds and the model; the image is in the request and its mask in the response, so
nothing is missing but the latency.  Errors are not logged by TensorFlow Serving.
"""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

from common.signatures import SERVING_DEFAULT
from serving.request_log.folder import LogFolder
from serving.request_log.measuring import logged_image, pending_images
from serving.request_log.other_logs import OtherRows
from serving.request_log.pending import Answered
from serving.request_log.rows import OK, LoggedImage

_LENGTH_BYTES, _CHECKSUM_BYTES = 8, 4


def read_log(folder: LogFolder) -> OtherRows:
    """Returns the rows of all files below the folder."""
    from tensorflow_serving.apis import prediction_log_pb2  # Imports TensorFlow.

    found = OtherRows()
    for file in folder.files():
        data = folder.read(file.path)
        try:
            records = _records(data)
        except ValueError:
            found.ignored["the file is not a TFRecord file"] += 1
            continue
        for record in records:
            try:
                log = prediction_log_pb2.PredictionLog.FromString(record)
            except Exception:  # noqa: BLE001  # DecodeError's module differs between releases of protobuf.
                found.ignored["it is not a PredictionLog"] += 1
                continue
            _add(found, log)
    return found


def _add(found: OtherRows, log: Any) -> None:
    if log.WhichOneof("log_type") != "predict_log":
        found.ignored["it is not a prediction"] += 1
        return
    request, response = log.predict_log.request, log.predict_log.response
    inputs = [tensor.string_val for tensor in request.inputs.values() if tensor.string_val]
    if len(inputs) != 1:
        found.ignored["its input is not a batch of encoded images"] += 1
        return
    found.add(_rows(log.log_metadata, list(inputs[0]), request, response))


def _rows(metadata: Any, inputs: list[bytes], request: Any, response: Any) -> list[LoggedImage]:
    import tensorflow as tf

    outputs = {name: tf.make_ndarray(tensor) for name, tensor in response.outputs.items()}
    spec = response.model_spec if response.HasField("model_spec") else metadata.model_spec
    signature = request.model_spec.signature_name or SERVING_DEFAULT
    answered = Answered(spec.name or request.model_spec.name, spec.version.value, signature, 0.0)
    seconds = metadata.timestamp_secs
    time = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc) if seconds else None
    return [
        dataclasses.replace(
            logged_image(image),
            time=time,
            seconds=None,
            version=spec.version.value or None,
            model=answered.model or None,
        )
        for image in pending_images(answered, inputs, outputs or None, OK, "")
    ]


def _records(data: bytes) -> list[bytes]:
    """Returns the records of a TFRecord file: length, its checksum, the data, its checksum.

    Raises:
        ValueError: it is not one; the last record may be cut off, since the server may be writing it.
    """
    records: list[bytes] = []
    place = 0
    header = _LENGTH_BYTES + _CHECKSUM_BYTES
    while place + header <= len(data):
        length = int.from_bytes(data[place : place + _LENGTH_BYTES], "little")
        end = place + header + length
        if end + _CHECKSUM_BYTES > len(data):
            if not records:
                raise ValueError("the first record is longer than the file")
            break
        records.append(data[place + header : end])
        place = end + _CHECKSUM_BYTES
    return records
