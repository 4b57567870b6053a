"""One picture to a model server and its answer back, over gRPC and over REST."""

from __future__ import annotations

import base64
import http.client
import io
import json
import time
from typing import Any, NamedTuple

import grpc
import numpy as np
from PIL import Image
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import predict_pb2
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from common.signatures import CLASS_FRACTIONS, IMAGE, MASK_BYTES, SERVING_DEFAULT

HOST = "127.0.0.1"
INVALID_ARGUMENT = "INVALID_ARGUMENT"
UNAVAILABLE = "UNAVAILABLE"
REQUEST_SECONDS = 120
_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_http_proxy", 0),
]
_NAMES = {400: INVALID_ARGUMENT}
"""HTTP status → the name of the code that TensorFlow Serving makes it of."""


class Answer(NamedTuple):
    """What an app gets for a picture."""

    mask: bytes
    class_fractions_C: np.ndarray
    seconds: float

    @property
    def mask_HW(self) -> np.ndarray:
        """The class of each pixel."""
        return np.asarray(Image.open(io.BytesIO(self.mask)))


class RefusedError(Exception):
    """The server gave no mask; `code` is the name of gRPC's code, or what HTTP said."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


def predict_request(model_name: str, encoded: bytes) -> predict_pb2.PredictRequest:
    """The request for one picture's mask."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model_name
    request.model_spec.signature_name = SERVING_DEFAULT
    tensor = request.inputs[IMAGE]
    tensor.dtype = types_pb2.DT_STRING
    tensor.tensor_shape.dim.add(size=1)
    tensor.string_val.append(encoded)
    return request


def ask_grpc(port: int, model_name: str, encoded: bytes) -> Answer:
    """Asks over gRPC, on a connection of its own.

    Raises:
        RefusedError: the server says no, or is not there.
    """
    with grpc.insecure_channel(f"{HOST}:{port}", _OPTIONS) as channel:
        began = time.monotonic()
        try:
            response = PredictionServiceStub(channel).Predict(
                predict_request(model_name, encoded), timeout=REQUEST_SECONDS
            )
        except grpc.RpcError as error:
            raise RefusedError(error.code().name, str(error.details())) from None
        seconds = time.monotonic() - began
    return Answer(
        response.outputs[MASK_BYTES].string_val[0],
        np.array(response.outputs[CLASS_FRACTIONS].float_val, np.float32),
        seconds,
    )


def ask_rest(port: int, model_name: str, encoded: bytes) -> Answer:
    """Asks over REST, on a connection of its own.

    Raises:
        RefusedError: the server says no, or is not there.
    """
    body = json.dumps({"instances": [{"b64": base64.b64encode(encoded).decode()}]})
    began = time.monotonic()
    status, document = ask_http(port, "POST", f"/v1/models/{model_name}:predict", body)
    if status != http.HTTPStatus.OK:
        raise RefusedError(_NAMES.get(status, f"HTTP {status}"), str(document.get("error", document)))
    (prediction,) = document["predictions"]
    return Answer(
        base64.b64decode(prediction[MASK_BYTES]["b64"]),
        np.array(prediction[CLASS_FRACTIONS], np.float32),
        time.monotonic() - began,
    )


def ask_http(port: int, method: str, path: str, body: str | None = None) -> tuple[int, dict[str, Any]]:
    """Status and JSON document of one HTTP request.

    Raises:
        RefusedError: nobody answers, or what answers is no JSON object.
    """
    connection = http.client.HTTPConnection(HOST, port, timeout=REQUEST_SECONDS)
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        document = json.loads(response.read())
    except (OSError, http.client.HTTPException) as error:
        raise RefusedError(UNAVAILABLE, str(error)) from None
    except ValueError as error:
        raise RefusedError("INTERNAL", f"the answer is no JSON: {error}") from None
    finally:
        connection.close()
    return response.status, document if isinstance(document, dict) else {}
