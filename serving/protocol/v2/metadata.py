"""Metadata of server and model: names, versions, and the tensors of a signature."""

from __future__ import annotations

from typing import NamedTuple

from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from common.signatures import SERVING_DEFAULT, SERVING_PIXELS
from segpipe_client import __version__
from segpipe_client.v2_answers import BANDS_PARAMETER, DEPTH_PARAMETER, VERSION_PARAMETER
from segpipe_client.v2_messages import Parameters
from serving.batching import Servable
from serving.dataplane import Dataplane
from serving.errors import ServingError
from serving.model import Model
from serving.protocol.lookup import find_servable

SERVER_NAME = "segpipe"
SERVER_VERSION = __version__
EXTENSIONS = ("binary_tensor_data",)
PLATFORM = "tensorflow_savedmodel"

_DATATYPES = {
    types_pb2.DT_BOOL: "BOOL",
    types_pb2.DT_UINT8: "UINT8",
    types_pb2.DT_UINT16: "UINT16",
    types_pb2.DT_INT32: "INT32",
    types_pb2.DT_INT64: "INT64",
    types_pb2.DT_FLOAT: "FP32",
    types_pb2.DT_DOUBLE: "FP64",
    types_pb2.DT_STRING: "BYTES",
}
_DEPTHS = {types_pb2.DT_UINT8: "uint8", types_pb2.DT_UINT16: "uint16", types_pb2.DT_FLOAT: "float32"}


class TensorMetadata(NamedTuple):
    """Input or output of the model; −1 is a dimension of any size."""

    name: str
    datatype: str
    shape: list[int]
    parameters: Parameters


class ModelMetadata(NamedTuple):
    """Metadata of the version that a request means."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]
    parameters: Parameters


def model_metadata(dataplane: Dataplane, name: str, version: str) -> ModelMetadata:
    """Returns the metadata; `versions` are all that are loaded or, if the request names one, that one.

    Raises:
        ServingError: the version is not loaded.
    """
    with find_servable(dataplane, name, version) as servable:
        definition = servable.model.definitions[SERVING_DEFAULT]
        numbers = [servable.version] if version else dataplane.versions.loaded
        return ModelMetadata(
            name=servable.name,
            versions=[str(number) for number in numbers],
            platform=PLATFORM,
            inputs=[_tensor(key, info, _bands(servable.model)) for key, info in sorted(definition.inputs.items())],
            outputs=[_tensor(key, info, {}) for key, info in sorted(definition.outputs.items())],
            parameters=_parameters(servable),
        )


def is_ready(dataplane: Dataplane, name: str, version: str) -> bool:
    """Whether the version is loaded."""
    try:
        find_servable(dataplane, name, version)
    except ServingError:
        return False
    return True


def _parameters(servable: Servable) -> Parameters:
    return {VERSION_PARAMETER: str(servable.version), "signatures": ",".join(sorted(servable.model.definitions))}


def _tensor(name: str, info: meta_graph_pb2.TensorInfo, parameters: Parameters) -> TensorMetadata:
    shape = [-1] if info.tensor_shape.unknown_rank else [int(dim.size) for dim in info.tensor_shape.dim]
    return TensorMetadata(name, _DATATYPES.get(info.dtype, "UNKNOWN"), shape, parameters)


def _bands(model: Model) -> Parameters:
    """Number and depth of the bands that the model takes; nothing for a model of 8-bit RGB."""
    if SERVING_PIXELS not in model.definitions:
        return {}
    (pixels,) = model.definitions[SERVING_PIXELS].inputs.values()
    return {BANDS_PARAMETER: int(pixels.tensor_shape.dim[-1].size), DEPTH_PARAMETER: _DEPTHS.get(pixels.dtype, "")}
