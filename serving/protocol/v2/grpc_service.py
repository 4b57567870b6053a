"""gRPC service `inference.GRPCInferenceService` of the Open Inference Protocol."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from segpipe_client.errors import shortened
from segpipe_client.v2_messages import SERVICE, add_parameters, message_class, read_parameters
from segpipe_client.v2_tensors import BYTES, datatype_of, pack
from serving.dataplane import Dataplane
from serving.errors import invalid
from serving.model import Outputs
from serving.protocol.grpc_answers import answered, at_once
from serving.protocol.lookup import find_to_predict
from serving.protocol.v2.infer import InferRequest, InputTensor, elements, infer
from serving.protocol.v2.metadata import (
    EXTENSIONS,
    SERVER_NAME,
    SERVER_VERSION,
    TensorMetadata,
    is_ready,
    model_metadata,
)
from serving.protocol.v2.parameters import Document, NoParameters, RawInputParameters, RequestParameters, checked

_CONTENTS = {
    "BOOL": "bool_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    BYTES: "bytes_contents",
}

_Method = Callable[[Any, grpc.aio.ServicerContext], Awaitable[Any]]


def add_open_inference(server: grpc.aio.Server, dataplane: Dataplane) -> None:
    """Adds the service to a server."""
    service = OpenInferenceService(dataplane)
    methods: dict[str, _Method] = {
        "ServerLive": service.server_live,
        "ServerReady": service.server_ready,
        "ServerMetadata": service.server_metadata,
        "ModelReady": service.model_ready,
        "ModelMetadata": service.model_metadata,
        "ModelInfer": service.model_infer,
    }
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(
            method,
            request_deserializer=message_class(f"{name}Request").FromString,
            response_serializer=message_class(f"{name}Response").SerializeToString,
        )
        for name, method in methods.items()
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))


class OpenInferenceService:
    """Methods of the service."""

    def __init__(self, dataplane: Dataplane) -> None:
        self._dataplane = dataplane

    async def server_live(self, _: Any, context: grpc.aio.ServicerContext) -> Any:
        """Whether the process responds."""
        return message_class("ServerLiveResponse")(live=True)

    async def server_ready(self, _: Any, context: grpc.aio.ServicerContext) -> Any:
        """Whether the stable version is loaded."""
        return message_class("ServerReadyResponse")(ready=self._dataplane.versions.ready)

    async def server_metadata(self, _: Any, context: grpc.aio.ServicerContext) -> Any:
        """Name and version of the server."""
        response = message_class("ServerMetadataResponse")
        return response(name=SERVER_NAME, version=SERVER_VERSION, extensions=EXTENSIONS)

    async def model_ready(self, request: Any, context: grpc.aio.ServicerContext) -> Any:
        """Whether a version is loaded; `false` for a model that the server does not have."""
        return message_class("ModelReadyResponse")(ready=is_ready(self._dataplane, request.name, request.version))

    async def model_metadata(self, request: Any, context: grpc.aio.ServicerContext) -> Any:
        """Versions, inputs and outputs."""
        return await answered(context, at_once(lambda: self._metadata(request)))

    async def model_infer(self, request: Any, context: grpc.aio.ServicerContext) -> Any:
        """Predicts masks of encoded images."""
        return await answered(context, self._infer(request, context.time_remaining()))

    def _metadata(self, request: Any) -> Any:
        metadata = model_metadata(self._dataplane, request.name, request.version)
        response = message_class("ModelMetadataResponse")(
            name=metadata.name, versions=metadata.versions, platform=metadata.platform
        )
        for tensors, into in ((metadata.inputs, response.inputs), (metadata.outputs, response.outputs)):
            for tensor in tensors:
                _add_metadata(tensor, into)
        add_parameters(response.parameters, metadata.parameters)
        return response

    async def _infer(self, request: Any, seconds: float | None) -> Any:
        with self._dataplane.admitted("GRPC_V2", seconds) as call:
            asked = _request(request, self._dataplane.limits.pictures)
            with find_to_predict(self._dataplane, request.model_name, request.model_version) as servable:
                outputs = await infer(self._dataplane, servable, asked, call)
            response = message_class("ModelInferResponse")(
                model_name=request.model_name, model_version=str(servable.version), id=asked.id
            )
            is_raw = bool(request.raw_input_contents) or asked.parameters.binary_data_output
            _fill(response, outputs, is_raw)
            return response


def _request(request: Any, limit: int) -> InferRequest:
    parameters = checked(RequestParameters, read_parameters(request.parameters), "parameters")
    for output in request.outputs:
        checked(NoParameters, read_parameters(output.parameters), f"outputs.{shortened(output.name)}.parameters")
    return InferRequest(
        id=request.id,
        parameters=parameters,
        inputs=_inputs(request, limit),
        outputs=tuple(output.name for output in request.outputs),
    )


def _inputs(request: Any, limit: int) -> list[InputTensor]:
    raw = request.raw_input_contents
    if not raw:
        return [_input(one, list(one.contents.bytes_contents), NoParameters) for one in request.inputs]
    if len(raw) != len(request.inputs):
        raise invalid(f"the request has {len(request.inputs)} inputs, and raw_input_contents of {len(raw)}")
    if any(one.HasField("contents") for one in request.inputs):
        raise invalid("the request has raw_input_contents, and contents of an input as well")
    return [
        _input(one, elements(data, one.name, limit), RawInputParameters)
        for one, data in zip(request.inputs, raw, strict=True)
    ]


def _input(tensor: Any, values: list[bytes], parameters: type[Document]) -> InputTensor:
    checked(parameters, read_parameters(tensor.parameters), f"inputs.{shortened(tensor.name)}.parameters")
    return InputTensor(tensor.name, tensor.datatype, tensor.shape, values)


def _add_metadata(tensor: TensorMetadata, into: Any) -> None:
    added = into.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
    add_parameters(added.parameters, tensor.parameters)


def _fill(response: Any, outputs: Outputs, is_raw: bool) -> None:
    """Writes outputs as the request has its inputs: as raw bytes, or in typed fields."""
    for name, values in outputs.items():
        tensor = response.outputs.add(name=name, datatype=datatype_of(values), shape=values.shape)
        if is_raw:
            response.raw_output_contents.append(pack(values))
        else:
            getattr(tensor.contents, _CONTENTS[tensor.datatype]).extend(values.ravel().tolist())
