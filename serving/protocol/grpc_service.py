"""gRPC server: the services PredictionService and ModelService of tensorflow-serving-api, and that of version 2."""

from __future__ import annotations

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
from serving.dataplane import Dataplane
from serving.errors import ServingError, invalid
from serving.model import Signature
from serving.protocol.grpc_answers import answered, at_once
from serving.protocol.tensors import fill_protos, strings_from_proto
from serving.protocol.v2.grpc_service import add_open_inference

_ROOM_FOR_STATUS = 32


def make_grpc_server(dataplane: Dataplane) -> grpc.aio.Server:
    """Returns a server with all services, not yet bound to a port.

    gRPC itself refuses messages over the limit, and accepts only as many concurrent calls as predictions may wait, plus
    some for status requests: so memory is bounded before a message is read.
    """
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", dataplane.limits.body_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),  # Otherwise a second server could silently share the port.
        ],
        maximum_concurrent_rpcs=dataplane.limits.requests + _ROOM_FOR_STATUS,
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(PredictionService(dataplane), server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(dataplane), server)
    add_open_inference(server, dataplane)
    return server


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict and GetModelMetadata; the other methods need outputs that a segmentation model does not have."""

    def __init__(self, dataplane: Dataplane) -> None:
        self._dataplane = dataplane

    async def Predict(
        self, request: predict_pb2.PredictRequest, context: grpc.aio.ServicerContext
    ) -> predict_pb2.PredictResponse:
        """Predicts masks of encoded images."""
        return await answered(context, self._predict(request, context.time_remaining()))

    async def GetModelMetadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest, context: grpc.aio.ServicerContext
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """The signatures."""
        return await answered(context, at_once(lambda: self._dataplane.metadata(request)))

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
        with self._dataplane.admitted("GRPC", seconds) as call:
            if not request.HasField("model_spec"):
                raise invalid("Missing ModelSpec")
            with self._dataplane.find_to_predict(request.model_spec) as servable:
                name = request.model_spec.signature_name
                signature = servable.signature(name)
                if signature is None:
                    raise ServingError(
                        grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{shortened(name)}" not found.'
                    )
                inputs = _inputs(signature, request, self._dataplane.limits.pictures)
                outputs = await self._dataplane.predict(
                    servable, signature, inputs, request.output_filter, call.deadline
                )
            response = predict_pb2.PredictResponse()
            response.model_spec.name = request.model_spec.name
            response.model_spec.version.value = servable.version
            response.model_spec.signature_name = signature.name
            fill_protos(outputs, response.outputs)
            return response


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """States of versions, and a reload of the registry."""

    def __init__(self, dataplane: Dataplane) -> None:
        self._dataplane = dataplane

    async def GetModelStatus(
        self, request: get_model_status_pb2.GetModelStatusRequest, context: grpc.aio.ServicerContext
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Returns the states of versions."""
        return await answered(context, at_once(lambda: self._dataplane.status(request)))

    async def HandleReloadConfigRequest(
        self, request: model_management_pb2.ReloadConfigRequest, context: grpc.aio.ServicerContext
    ) -> model_management_pb2.ReloadConfigResponse:
        """Polls the registry now."""
        await answered(context, self._dataplane.reload(request.config))
        return model_management_pb2.ReloadConfigResponse()


def _inputs(signature: Signature, request: predict_pb2.PredictRequest, limit: int) -> list[bytes]:
    """Returns the values of the signature's only input; messages as in servables/tensorflow/predict_util.cc."""
    expected, given = signature.input, sorted(request.inputs)
    if given != [expected]:
        extra, missing = sorted(set(given) - {expected}), sorted({expected} - set(given))
        shown, extra_shown = shortened(",".join(given)), shortened(",".join(extra))
        raise invalid(
            f"input size does not match signature: {len(given)}!=1 len({{{shown}}}) != len({{{expected}}}). "
            f"Sent extra: {{{extra_shown}}}. Missing but required: {{{','.join(missing)}}}."
        )
    return strings_from_proto(expected, request.inputs[expected], limit)


async def _refuse(context: grpc.aio.ServicerContext, method: str) -> None:
    await context.abort(
        grpc.StatusCode.UNIMPLEMENTED, f"{method} is not supported: a segmentation model supports Predict"
    )
