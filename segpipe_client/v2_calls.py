"""Calls of the Open Inference Protocol, version 2."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from .address import Address, decoded
from .answer import Answer, ModelBands, VersionState
from .calls import GrpcCall, RestCall
from .v2_answers import INPUT, Metadata, answer_of, bands_of, states_of, version_of
from .v2_documents import infer_request, read_bands, read_infer, read_states, read_version
from .v2_messages import message_class, method_path, read_parameters
from .v2_tensors import BYTES, pack_bytes, unpack

_CONTENTS = {BYTES: "bytes_contents", "FP32": "fp32_contents", "FP64": "fp64_contents"}
_METADATA_NAME = "the metadata of a model"

_Content = TypeVar("_Content")


class V2RestCalls:
    """Calls of the REST API."""

    def __init__(self, address: Address) -> None:
        self._address = address

    def predict(self, image: bytes) -> RestCall[Answer]:
        """The model's answer for an encoded image."""
        body, headers = infer_request(image)
        return RestCall("POST", self._address.predict_url, read_infer, body, headers)

    def states(self) -> RestCall[list[VersionState]]:
        """The states of the versions at the address."""
        return RestCall("GET", self._address.metadata_url, read_states)

    def version(self) -> RestCall[int]:
        """The version that the address means."""
        return RestCall("GET", self._address.metadata_url, read_version)

    def bands(self) -> RestCall[ModelBands | None]:
        """The bands that the model takes; `None` for 8-bit RGB."""
        return RestCall("GET", self._address.metadata_url, read_bands)


class V2GrpcCalls:
    """Calls of the gRPC API."""

    def __init__(self, address: Address) -> None:
        self._model = decoded(address.model)
        label = "" if address.label is None else decoded(address.label)
        self._version = label if address.version is None else str(address.version)

    def predict(self, image: bytes) -> GrpcCall[Answer]:
        """The model's answer for an encoded image."""
        request = message_class("ModelInferRequest")(model_name=self._model, model_version=self._version)
        request.inputs.add(name=INPUT, datatype=BYTES, shape=[1])
        request.raw_input_contents.append(pack_bytes([image]))
        return GrpcCall(
            method_path("ModelInfer"), request.SerializeToString(), _read_infer, "that of a segmentation model"
        )

    def states(self) -> GrpcCall[list[VersionState]]:
        """The states of the versions at the address."""
        return self._metadata(states_of)

    def version(self) -> GrpcCall[int]:
        """The version that the address means."""
        return self._metadata(version_of)

    def bands(self) -> GrpcCall[ModelBands | None]:
        """The bands that the model takes; `None` for 8-bit RGB."""
        return self._metadata(bands_of)

    def _metadata(self, read: Callable[[Metadata], _Content]) -> GrpcCall[_Content]:
        request = message_class("ModelMetadataRequest")(name=self._model, version=self._version)
        method = method_path("ModelMetadata")
        return GrpcCall(method, request.SerializeToString(), lambda data: read(_read_metadata(data)), _METADATA_NAME)


def _read_infer(serialized: bytes) -> Answer:
    """The answer in a ModelInferResponse.

    Raises:
        ValueError: it is another message, or not that of a segmentation model.
    """
    response = _parsed("ModelInferResponse", serialized)
    raw = list(response.raw_output_contents)
    if raw and len(raw) != len(response.outputs):
        raise ValueError(f"it has {len(response.outputs)} outputs, and the raw bytes of {len(raw)}")
    outputs = {}
    for index, tensor in enumerate(response.outputs):
        data = unpack(tensor.datatype, tensor.shape, raw[index]) if raw else _typed(tensor)
        outputs[tensor.name] = data
    return answer_of(outputs, response.model_version)


def _typed(tensor: Any) -> np.ndarray:
    """The values of a tensor that is sent in typed fields."""
    if tensor.datatype not in _CONTENTS:
        raise ValueError(f"an output is of type {tensor.datatype[:16]!r}")
    given = list(getattr(tensor.contents, _CONTENTS[tensor.datatype]))
    values = np.empty(len(given), object if tensor.datatype == BYTES else np.float64)
    values[:] = given
    return values


def _read_metadata(serialized: bytes) -> Metadata:
    response = _parsed("ModelMetadataResponse", serialized)
    (model_input,) = response.inputs
    return Metadata(
        tuple(response.versions), read_parameters(response.parameters), read_parameters(model_input.parameters)
    )


def _parsed(name: str, serialized: bytes) -> Any:
    from google.protobuf.message import DecodeError

    try:
        return message_class(name).FromString(serialized)
    except DecodeError as error:
        raise ValueError(str(error)) from None
