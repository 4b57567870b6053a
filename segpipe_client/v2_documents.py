"""Documents of the Open Inference Protocol's REST API that the client sends and reads: JSON, then raw tensors."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from .answer import Answer, ModelBands, VersionState
from .documents import RestResponse, read_checked
from .v2_answers import INPUT, Metadata, answer_of, bands_of, states_of, version_of
from .v2_tensors import BYTES, pack_bytes, unpack

JSON_LENGTH = "Inference-Header-Content-Length"
"""Header with the length of the JSON in front of raw tensors (Triton's extension for binary data)."""

_Content = TypeVar("_Content")


def infer_request(image: bytes) -> tuple[bytes, dict[str, str]]:
    """The body and the headers of a request for one image, with raw bytes in both directions."""
    raw = pack_bytes([image])
    tensor = {"name": INPUT, "datatype": BYTES, "shape": [1], "parameters": {"binary_data_size": len(raw)}}
    document = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    headers = {JSON_LENGTH: str(len(document)), "Content-Type": "application/octet-stream"}
    return document + raw, headers


def read_infer(response: RestResponse) -> Answer:
    """The answer in the response to an inference.

    Raises:
        SegmentationError: it is an error, or not the answer of a segmentation model.
    """
    return read_checked(response, _answer, "that of a segmentation model")


def read_states(response: RestResponse) -> list[VersionState]:
    """The states of the versions in a model's metadata.

    Raises:
        SegmentationError: it is an error, or another document.
    """
    return _read_metadata(response, states_of)


def read_version(response: RestResponse) -> int:
    """The version that a model's metadata are of.

    Raises:
        SegmentationError: it is an error, or another document.
    """
    return _read_metadata(response, version_of)


def read_bands(response: RestResponse) -> ModelBands | None:
    """The bands in a model's metadata; `None` for 8-bit RGB.

    Raises:
        SegmentationError: it is an error, or another document.
    """
    return _read_metadata(response, bands_of)


def _read_metadata(response: RestResponse, read: Callable[[Metadata], _Content]) -> _Content:
    return read_checked(response, lambda checked: read(_metadata(checked)), "the metadata of a model")


def _metadata(response: RestResponse) -> Metadata:
    document = json.loads(response.body)
    (model_input,) = document["inputs"]
    return Metadata(
        versions=tuple(str(version) for version in document.get("versions", ())),
        parameters=dict(document.get("parameters") or {}),
        input_parameters=dict(model_input.get("parameters") or {}),
    )


def _answer(response: RestResponse) -> Answer:
    length = int(response.headers.get(JSON_LENGTH, len(response.body)))
    document, raw = json.loads(response.body[:length]), response.body[length:]
    outputs: dict[str, np.ndarray] = {}
    at = 0
    for tensor in document["outputs"]:
        size = (tensor.get("parameters") or {}).get("binary_data_size")
        if size is None:
            outputs[tensor["name"]] = _from_json(tensor)
        else:
            outputs[tensor["name"]] = unpack(tensor["datatype"], tensor["shape"], raw[at : at + size])
            at += size
    return answer_of(outputs, str(document.get("model_version", "")))


def _from_json(tensor: Any) -> np.ndarray:
    """A tensor as a list; a server without raw bytes has base64 where the bytes are not text."""
    values = np.array(tensor["data"], object if tensor["datatype"] == BYTES else None).ravel()
    if tensor["datatype"] != BYTES:
        return values
    is_base64 = tensor["name"].endswith("_bytes")
    decoded = np.empty(values.size, object)
    decoded[:] = [base64.b64decode(value) if is_base64 else str(value).encode() for value in values]
    return decoded
