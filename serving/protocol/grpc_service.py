"""PredictionService and ModelService of tensorflow-serving-api."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from segpipe_client.errors import shortened
from serving import logs
from serving.endpoint import Endpoint
from serving.errors import ServingError, invalid
from serving.model import Signature
from serving.protocol.tensors import fill_protos, strings_from_proto

_ROOM_FOR_STATUS = 32
_Response = TypeVar("_Response")


def make_grpc_server(endpoint: Endpoint) -> grpc.aio.Server:
    """A server with both services, not yet bound to a port.

    gRPC itself refuses messages over the limit, and takes no more calls at a time than predictions may wait, with some
    room for questions about the status: so memory is bounded before a message is read.
    """
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", endpoint.limits.body_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),  # Or a second server would share the port without a word.
        ],
        maximum_concurrent_rpcs=endpoint.limits.requests + _ROOM_FOR_STATUS,
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(PredictionService(endpoint), server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(endpoint), server)
    return server


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict and GetModelMetadata; the others need outputs that a segmentation model has not."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def Predict(
        self, request: predict_pb2.PredictRequest, context: grpc.aio.ServicerContext
    ) -> predict_pb2.PredictResponse:
        """Masks of encoded pictures."""
        return await _answered(context, self._predict(request, context.time_remaining()))

    async def GetModelMetadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest, context: grpc.aio.ServicerContext
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """The signatures."""
        return await _answered(context, _at_once(lambda: self._endpoint.metadata(request)))

    async def Classify(self, request: object, context: grpc.aio.ServicerContext) -> None:
        """Refused."""
        await _refuse(context, "Classify")

    async def Regress(self, request: object, context: grpc.aio.ServicerContext) -> None:
        """Refused."""
        await _refuse(context, "Regress")

    async def MultiInference(self, request: object, context: grpc.aio.ServicerContext) -> None:
        """Refused."""
        await _refuse(context, "MultiInference")

    async def _predict(self, request: predict_pb2.PredictRequest, seconds: float | None) -> predict_pb2.PredictResponse:
        with self._endpoint.admitted("GRPC", seconds) as call:
            if not request.HasField("model_spec"):
                raise invalid("Missing ModelSpec")
            with self._endpoint.find(request.model_spec) as servable:
                name = request.model_spec.signature_name
                signature = servable.model.signature(name)
                if signature is None:
                    raise ServingError(
                        grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{shortened(name)}" not found.'
                    )
                inputs = _inputs(signature, request, self._endpoint.limits.pictures)
                outputs = await self._endpoint.predict(
                    servable, signature, inputs, request.output_filter, call.deadline
                )
            response = predict_pb2.PredictResponse()
            response.model_spec.name = request.model_spec.name
            response.model_spec.version.value = servable.version
            response.model_spec.signature_name = signature.name
            fill_protos(outputs, response.outputs)
            return response


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """The state of versions, and a wish to look at the registry now."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def GetModelStatus(
        self, request: get_model_status_pb2.GetModelStatusRequest, context: grpc.aio.ServicerContext
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """The states of versions."""
        return await _answered(context, _at_once(lambda: self._endpoint.status(request)))

    async def HandleReloadConfigRequest(
        self, request: model_management_pb2.ReloadConfigRequest, context: grpc.aio.ServicerContext
    ) -> model_management_pb2.ReloadConfigResponse:
        """Looks at the registry now."""
        await _answered(context, self._endpoint.reload(request.config))
        return model_management_pb2.ReloadConfigResponse()


def _inputs(signature: Signature, request: predict_pb2.PredictRequest, limit: int) -> list[bytes]:
    """The signature's one input; texts as in servables/tensorflow/predict_util.cc."""
    expected, given = signature.input, sorted(request.inputs)
    if given != [expected]:
        extra, missing = sorted(set(given) - {expected}), sorted({expected} - set(given))
        shown, extra_shown = shortened(",".join(given)), shortened(",".join(extra))
        raise invalid(
            f"input size does not match signature: {len(given)}!=1 len({{{shown}}}) != len({{{expected}}}). "
            f"Sent extra: {{{extra_shown}}}. Missing but required: {{{','.join(missing)}}}."
        )
    return strings_from_proto(expected, request.inputs[expected], limit)


async def _answered(context: grpc.aio.ServicerContext, answer: Awaitable[_Response]) -> _Response:
    try:
        return await answer
    except ServingError as error:
        await context.abort(error.code, error.details)
    except Exception as error:  # noqa: BLE001  # Logged, and told without its details.
        logs.failure("request_bug", error)
        await context.abort(grpc.StatusCode.INTERNAL, f"internal error: {type(error).__name__}")
    raise AssertionError("abort raises")


async def _at_once(answer: Callable[[], _Response]) -> _Response:
    return answer()


async def _refuse(context: grpc.aio.ServicerContext, method: str) -> None:
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{method} is not offered: a segmentation model answers Predict")
