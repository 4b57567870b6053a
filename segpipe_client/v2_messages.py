"""Messages of the Open Inference Protocol's gRPC API, `inference.GRPCInferenceService`, for client and server.

Field numbers are those of the protocol's public definition; `parameters` of metadata are MLServer's extension of it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

from .descriptors import Field, message_classes

SERVICE = "inference.GRPCInferenceService"

Parameter = bool | int | float | str
Parameters = Mapping[str, Parameter]

_PACKAGE = "segpipe.inference"
_FIELDS: dict[str, list[Field]] = {
    "InferParameter": [
        ("bool_param", 1, "bool?"),
        ("int64_param", 2, "int64?"),
        ("string_param", 3, "string?"),
        ("double_param", 4, "double?"),
        ("uint64_param", 5, "uint64?"),
    ],
    "ParameterEntry": [("key", 1, "string"), ("value", 2, "InferParameter")],
    "ServerLiveRequest": [],
    "ServerLiveResponse": [("live", 1, "bool")],
    "ServerReadyRequest": [],
    "ServerReadyResponse": [("ready", 1, "bool")],
    "ModelReadyRequest": [("name", 1, "string"), ("version", 2, "string")],
    "ModelReadyResponse": [("ready", 1, "bool")],
    "ServerMetadataRequest": [],
    "ServerMetadataResponse": [("name", 1, "string"), ("version", 2, "string"), ("extensions", 3, "string*")],
    "ModelMetadataRequest": [("name", 1, "string"), ("version", 2, "string")],
    "TensorMetadata": [
        ("name", 1, "string"),
        ("datatype", 2, "string"),
        ("shape", 3, "int64*"),
        ("parameters", 4, "ParameterEntry*"),
    ],
    "ModelMetadataResponse": [
        ("name", 1, "string"),
        ("versions", 2, "string*"),
        ("platform", 3, "string"),
        ("inputs", 4, "TensorMetadata*"),
        ("outputs", 5, "TensorMetadata*"),
        ("parameters", 6, "ParameterEntry*"),
    ],
    "InferTensorContents": [
        ("bool_contents", 1, "bool*"),
        ("int_contents", 2, "int32*"),
        ("int64_contents", 3, "int64*"),
        ("uint_contents", 4, "uint32*"),
        ("uint64_contents", 5, "uint64*"),
        ("fp32_contents", 6, "float*"),
        ("fp64_contents", 7, "double*"),
        ("bytes_contents", 8, "bytes*"),
    ],
    "InferTensor": [  # InferInputTensor of a request and InferOutputTensor of a response
        ("name", 1, "string"),
        ("datatype", 2, "string"),
        ("shape", 3, "int64*"),
        ("parameters", 4, "ParameterEntry*"),
        ("contents", 5, "InferTensorContents"),
    ],
    "InferRequestedOutputTensor": [("name", 1, "string"), ("parameters", 2, "ParameterEntry*")],
    "ModelInferRequest": [
        ("model_name", 1, "string"),
        ("model_version", 2, "string"),
        ("id", 3, "string"),
        ("parameters", 4, "ParameterEntry*"),
        ("inputs", 5, "InferTensor*"),
        ("outputs", 6, "InferRequestedOutputTensor*"),
        ("raw_input_contents", 7, "bytes*"),
    ],
    "ModelInferResponse": [
        ("model_name", 1, "string"),
        ("model_version", 2, "string"),
        ("id", 3, "string"),
        ("parameters", 4, "ParameterEntry*"),
        ("outputs", 5, "InferTensor*"),
        ("raw_output_contents", 6, "bytes*"),
    ],
}


def message_class(name: str) -> Any:
    """Returns the class of the message `name`."""
    return _classes()[name]


def method_path(method: str) -> str:
    """Returns the path of a method of the service."""
    return f"/{SERVICE}/{method}"


def read_parameters(entries: Iterable[Any]) -> dict[str, Parameter]:
    """Returns the parameters in a list of entries; one without a value is the empty string."""
    return {entry.key: _value(entry.value) for entry in entries}


def add_parameters(entries: Any, parameters: Parameters) -> None:
    """Adds the parameters to a list of entries."""
    for key, value in parameters.items():
        entry = entries.add(key=key)
        if isinstance(value, bool):
            entry.value.bool_param = value
        elif isinstance(value, int):
            entry.value.int64_param = value
        elif isinstance(value, float):
            entry.value.double_param = value
        else:
            entry.value.string_param = value


def _value(parameter: Any) -> Parameter:
    chosen = parameter.WhichOneof("choice")
    value: Parameter = getattr(parameter, chosen) if chosen else ""
    return value


@functools.cache
def _classes() -> dict[str, Any]:
    return message_classes(_PACKAGE, _FIELDS)
