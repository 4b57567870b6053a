"""The few messages of TensorFlow Serving's gRPC API that the client sends and reads.

They are those of tensorflow_serving/apis/{predict,model,get_model_status,get_model_metadata}.proto and
tensorflow/core/framework/tensor*.proto, field by field, without the fields that are not needed here: on the wire they
are the same.
"""

from __future__ import annotations

import functools
import struct
from typing import Any

from .answer import Answer, ModelBands, VersionState
from .descriptors import Field, message_classes

PREDICT = "/tensorflow.serving.PredictionService/Predict"
METADATA = "/tensorflow.serving.PredictionService/GetModelMetadata"
STATUS = "/tensorflow.serving.ModelService/GetModelStatus"

_PACKAGE = "segpipe.client"
_FLOAT, _STRING = 1, 7  # tensorflow.DataType
_DEPTHS = {1: "float32", 4: "uint8", 17: "uint16"}  # tensorflow.DataType → name
_STATES = {0: "UNKNOWN", 10: "START", 20: "LOADING", 30: "AVAILABLE", 40: "UNLOADING", 50: "END"}
_FIELDS: dict[str, list[Field]] = {
    "Int64Value": [("value", 1, "int64")],
    "ModelSpec": [
        ("name", 1, "string"),
        ("version", 2, "Int64Value"),
        ("signature_name", 3, "string"),
        ("version_label", 4, "string"),
    ],
    "Dim": [("size", 1, "int64")],
    "TensorShapeProto": [("dim", 2, "Dim*")],
    "TensorProto": [
        ("dtype", 1, "int32"),
        ("tensor_shape", 2, "TensorShapeProto"),
        ("tensor_content", 4, "bytes"),
        ("float_val", 5, "float*"),
        ("string_val", 8, "bytes*"),
    ],
    "Entry": [("key", 1, "string"), ("value", 2, "TensorProto")],
    "PredictRequest": [("model_spec", 1, "ModelSpec"), ("inputs", 2, "Entry*")],
    "PredictResponse": [("outputs", 1, "Entry*"), ("model_spec", 2, "ModelSpec")],
    "GetModelStatusRequest": [("model_spec", 1, "ModelSpec")],
    "StatusProto": [("error_message", 2, "string")],
    "ModelVersionStatus": [("version", 1, "int64"), ("state", 2, "int32"), ("status", 3, "StatusProto")],
    "GetModelStatusResponse": [("model_version_status", 1, "ModelVersionStatus*")],
    "GetModelMetadataRequest": [("model_spec", 1, "ModelSpec"), ("metadata_field", 2, "string*")],
    "GetModelMetadataResponse": [("model_spec", 1, "ModelSpec"), ("metadata", 2, "AnyEntry*")],
    "Any": [("type_url", 1, "string"), ("value", 2, "bytes")],
    "AnyEntry": [("key", 1, "string"), ("value", 2, "Any")],
    "TensorInfo": [("dtype", 2, "int32"), ("tensor_shape", 3, "TensorShapeProto")],
    "TensorInfoEntry": [("key", 1, "string"), ("value", 2, "TensorInfo")],
    "SignatureDef": [("inputs", 1, "TensorInfoEntry*")],
    "SignatureDefEntry": [("key", 1, "string"), ("value", 2, "SignatureDef")],
    "SignatureDefMap": [("signature_def", 1, "SignatureDefEntry*")],
}


def request_bytes(
    image: bytes, model: str, version: int | None = None, label: str | None = None, signature: str = ""
) -> bytes:
    """A PredictRequest, serialized; without a signature it is for `serving_default`."""
    request = _request("PredictRequest", model, version, label)
    if signature:
        request.model_spec.signature_name = signature
    entry = request.inputs.add(key="image")
    entry.value.dtype = _STRING
    entry.value.tensor_shape.dim.add(size=1)
    entry.value.string_val.append(image)
    return bytes(request.SerializeToString())


def status_request_bytes(model: str, version: int | None, label: str | None) -> bytes:
    """A GetModelStatusRequest, serialized."""
    return bytes(_request("GetModelStatusRequest", model, version, label).SerializeToString())


def metadata_request_bytes(model: str, version: int | None, label: str | None) -> bytes:
    """A GetModelMetadataRequest, serialized; a server refuses one without a field of metadata."""
    request = _request("GetModelMetadataRequest", model, version, label)
    request.metadata_field.append("signature_def")
    return bytes(request.SerializeToString())


def read_states(serialized: bytes) -> list[VersionState]:
    """The states in a GetModelStatusResponse.

    Raises:
        ValueError: it is another message.
    """
    return [
        VersionState(one.version, _STATES.get(one.state, str(one.state)), one.status.error_message)
        for one in _parsed("GetModelStatusResponse", serialized).model_version_status
    ]


def read_version(serialized: bytes) -> int:
    """The version in a GetModelMetadataResponse.

    Raises:
        ValueError: it is another message.
    """
    spec = _parsed("GetModelMetadataResponse", serialized).model_spec
    if not spec.HasField("version"):
        raise ValueError("it has no version")
    return int(spec.version.value)


def read_bands(serialized: bytes) -> ModelBands | None:
    """The bands that a model takes by a GetModelMetadataResponse; `None` for 8-bit RGB.

    Raises:
        ValueError: it is another message.
    """
    fields = {entry.key: entry.value for entry in _parsed("GetModelMetadataResponse", serialized).metadata}
    if "signature_def" not in fields:
        raise ValueError("it has no signatures")
    definitions = _parsed("SignatureDefMap", fields["signature_def"].value).signature_def
    for definition in definitions:
        if definition.key == "serving_pixels":
            (pixels,) = (entry.value for entry in definition.value.inputs)
            if not pixels.tensor_shape.dim or pixels.dtype not in _DEPTHS:
                raise ValueError("its signature serving_pixels takes no images of bands")
            return ModelBands(int(pixels.tensor_shape.dim[-1].size), _DEPTHS[pixels.dtype])
    return None


def read_response(serialized: bytes) -> Answer:
    """The answer in a PredictResponse.

    Raises:
        ValueError: it is another message, or not that of a segmentation model.
    """
    response = _parsed("PredictResponse", serialized)
    outputs = {entry.key: entry.value for entry in response.outputs}
    missing = {"mask_bytes", "class_fractions", "mean_confidence"} - set(outputs)
    if missing:
        raise ValueError(f"it has no output {', '.join(sorted(missing))}")
    names = outputs.get("class_names")
    (confidence,) = _floats(outputs["mean_confidence"])
    (mask,) = outputs["mask_bytes"].string_val
    return Answer(
        mask_png=mask,
        class_fractions_C=_floats(outputs["class_fractions"]),
        mean_confidence=confidence,
        class_names=tuple(name.decode() for name in names.string_val) if names else (),
        version=response.model_spec.version.value if response.model_spec.HasField("version") else None,
    )


def _request(name: str, model: str, version: int | None, label: str | None) -> Any:
    request = message_class(name)()
    request.model_spec.name = model
    if version is not None:
        request.model_spec.version.value = version
    if label is not None:
        request.model_spec.version_label = label
    return request


def _parsed(name: str, serialized: bytes) -> Any:
    from google.protobuf.message import DecodeError

    response = message_class(name)()
    try:
        response.ParseFromString(serialized)
    except DecodeError as error:
        raise ValueError(str(error)) from None
    return response


def _floats(tensor: Any) -> list[float]:
    """The values of a tensor of floats, which a server may send packed (`Tensor::AsProtoTensorContent`)."""
    if tensor.dtype != _FLOAT:
        raise ValueError(f"an output is of type {tensor.dtype}, not float")
    if tensor.tensor_content:
        return [value for (value,) in struct.iter_unpack("<f", tensor.tensor_content)]
    return list(tensor.float_val)


def message_class(name: str) -> Any:
    """The class of the message `name`."""
    return _message_classes()[name]


@functools.cache
def _message_classes() -> dict[str, Any]:
    return message_classes(_PACKAGE, _FIELDS)
