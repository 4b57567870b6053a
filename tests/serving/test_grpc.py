"""gRPC, asked through the generated stubs; texts and codes are those of TensorFlow Serving's sources."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    regression_pb2,
)
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from registry.store import Registry
from tests.support.serving import CLASSES, MODEL, Hosted, classes_in, picture, predict_request

Code = grpc.StatusCode


@pytest.fixture(scope="module")
def prediction(server: Hosted) -> Iterator[PredictionServiceStub]:
    with grpc.insecure_channel(server.grpc) as channel:
        yield PredictionServiceStub(channel)


@pytest.fixture(scope="module")
def models(server: Hosted) -> Iterator[ModelServiceStub]:
    with grpc.insecure_channel(server.grpc) as channel:
        yield ModelServiceStub(channel)


def refused(call, request) -> tuple[grpc.StatusCode, str]:  # type: ignore[no-untyped-def]
    with pytest.raises(grpc.RpcError) as caught:
        call(request, timeout=60)
    return caught.value.code(), caught.value.details()


def test_pictures_of_any_size_get_masks_of_their_size_and_the_version_that_answered(prediction) -> None:  # type: ignore[no-untyped-def]
    response = prediction.Predict(predict_request(picture(40, 56), picture(96, 24, "JPEG")), timeout=60)
    assert response.model_spec.name == MODEL
    assert response.model_spec.version.value == 1
    assert response.model_spec.signature_name == "serving_default"
    masks = response.outputs["mask_bytes"].string_val
    assert [tf.io.decode_png(mask).shape for mask in masks] == [(40, 56, 1), (96, 24, 1)]
    assert [classes_in(mask) for mask in masks] == [{1}, {1}]


def test_numbers_come_in_the_typed_fields_and_read_with_make_ndarray(prediction) -> None:  # type: ignore[no-untyped-def]
    outputs = prediction.Predict(predict_request(picture(), picture()), timeout=60).outputs
    assert set(outputs) == {"mask_bytes", "class_fractions", "class_names", "mean_confidence"}
    fractions = outputs["class_fractions"]
    assert fractions.dtype == types_pb2.DT_FLOAT
    assert list(fractions.float_val) == [0, 1, 0, 0, 0, 1, 0, 0]
    assert tf.make_ndarray(fractions).tolist() == [[0, 1, 0, 0]] * 2
    assert tf.make_ndarray(outputs["mean_confidence"]).shape == (2,)


def test_the_other_signatures_can_be_asked_too(prediction) -> None:  # type: ignore[no-untyped-def]
    response = prediction.Predict(predict_request(picture(), signature="probabilities"), timeout=60)
    probabilities_BHWC = tf.make_ndarray(response.outputs["probabilities"])
    assert probabilities_BHWC.shape == (1, 32, 32, CLASSES)
    np.testing.assert_allclose(probabilities_BHWC[..., 1], 1, atol=1e-6)
    assert response.model_spec.signature_name == "probabilities"


def test_of_several_pictures_the_refused_one_is_told_where_each_is_asked_for_itself(prediction) -> None:  # type: ignore[no-untyped-def]
    pictures = (picture(), b"no picture", picture()[:-100], picture(24, 80, "JPEG"))
    outputs = prediction.Predict(predict_request(*pictures, signature="serving_each"), timeout=60).outputs
    assert list(outputs["errors"].string_val) == [
        b"",
        b"picture refused: it is not a JPEG, PNG, GIF or BMP, or its header is broken",
        b"picture refused: the PNG file ends early: its last chunk, IEND, is missing, "
        b"as after an upload that broke off",
        b"",
    ]
    masks = outputs["mask_bytes"].string_val
    assert [mask and classes_in(mask) for mask in masks] == [{1}, b"", b"", {1}]
    with pytest.raises(grpc.RpcError):
        prediction.Predict(predict_request(*pictures), timeout=60)


def test_a_filter_keeps_the_outputs_that_it_names(prediction) -> None:  # type: ignore[no-untyped-def]
    request = predict_request(picture())
    request.output_filter.append("mean_confidence")
    assert set(prediction.Predict(request, timeout=60).outputs) == {"mean_confidence"}
    request.output_filter.append("mean_confidence")
    assert refused(prediction.Predict, request) == (
        Code.INVALID_ARGUMENT,
        "duplicate output tensor alias: mean_confidence",
    )
    request.output_filter[:] = ["mask"]
    code, details = refused(prediction.Predict, request)
    assert code == Code.INVALID_ARGUMENT
    assert details == (
        "output tensor alias not found in signature: mask Outputs expected to be in the set "
        "{class_fractions,class_names,mask_bytes,mean_confidence}."
    )


@pytest.mark.parametrize("spec", [{"version": 1}, {"label": "stable"}])
def test_a_version_can_be_asked_by_number_and_by_label(prediction, spec: dict[str, object]) -> None:  # type: ignore[no-untyped-def]
    request = predict_request(picture(), **spec)  # type: ignore[arg-type]
    assert prediction.Predict(request, timeout=60).model_spec.version.value == 1


@pytest.mark.parametrize(
    ("spec", "code", "text"),
    [
        ({"name": ""}, Code.INVALID_ARGUMENT, "ModelSpec has no name specified."),
        ({"name": "other"}, Code.NOT_FOUND, "Servable not found for request: Latest(other)"),
        ({"version": 2}, Code.NOT_FOUND, "Servable not found for request: Specific(tiny, 2)"),
        ({"label": "canary"}, Code.INVALID_ARGUMENT, "Unrecognized servable version label: canary"),
        ({"signature": "nothing"}, Code.FAILED_PRECONDITION, 'Serving signature key "nothing" not found.'),
    ],
)
def test_what_is_not_there_is_refused_as_tensorflow_serving_does(  # type: ignore[no-untyped-def]
    prediction, spec: dict[str, object], code: grpc.StatusCode, text: str
) -> None:
    assert refused(prediction.Predict, predict_request(picture(), **spec)) == (code, text)  # type: ignore[arg-type]


def test_a_request_without_a_model_or_with_other_inputs_is_refused(prediction) -> None:  # type: ignore[no-untyped-def]
    request = predict_request(picture())
    request.ClearField("model_spec")
    assert refused(prediction.Predict, request) == (Code.INVALID_ARGUMENT, "Missing ModelSpec")
    request = predict_request(picture())
    request.inputs["picture"].CopyFrom(request.inputs["image"])
    del request.inputs["image"]
    assert refused(prediction.Predict, request) == (
        Code.INVALID_ARGUMENT,
        "input size does not match signature: 1!=1 len({picture}) != len({image}). Sent extra: {picture}. "
        "Missing but required: {image}.",
    )


@pytest.mark.parametrize(
    ("size", "values", "text"),
    [
        (1 << 40, 1, "its shape says 1099511627776 values, and string_val holds 1"),
        (-1, 1, "its shape says -1 values, and string_val holds 1"),
        (1, 2, "its shape says 1 values, and string_val holds 2"),
        (0, 0, "the request holds no image"),
    ],
)
def test_a_tensor_whose_shape_lies_is_refused_before_anything_is_allocated(  # type: ignore[no-untyped-def]
    prediction, size: int, values: int, text: str
) -> None:
    request = predict_request(*[picture()] * values)
    request.inputs["image"].tensor_shape.dim[0].size = size
    code, details = refused(prediction.Predict, request)
    assert code == Code.INVALID_ARGUMENT
    assert text in details


def test_a_tensor_of_another_type_or_rank_is_refused(prediction) -> None:  # type: ignore[no-untyped-def]
    request = predict_request(picture())
    request.inputs["image"].dtype = types_pb2.DT_FLOAT
    assert refused(prediction.Predict, request)[1].endswith("encoded bytes, but DT_FLOAT is given")
    request = predict_request(picture())
    request.inputs["image"].tensor_shape.dim.add(size=1)
    assert refused(prediction.Predict, request)[1].endswith("must have one dimension, the batch, but has 2")


def test_a_picture_that_is_none_is_refused_with_a_sentence(prediction) -> None:  # type: ignore[no-untyped-def]
    for encoded, text in [
        (b"no picture", "picture refused: it is not a JPEG, PNG, GIF or BMP, or its header is broken"),
        (b"", "picture refused: it is empty: 0 bytes"),
        (
            picture()[:16] + (60_000).to_bytes(4, "big") * 2 + picture()[24:],
            "picture refused: height and width 60000 60000 are over the limit of 4000000 pixels",
        ),
    ]:
        assert refused(prediction.Predict, predict_request(encoded)) == (Code.INVALID_ARGUMENT, text)
    code, details = refused(prediction.Predict, predict_request(picture()[:60]))
    assert code == Code.INVALID_ARGUMENT
    assert "[[" not in details


@pytest.mark.parametrize(
    ("method", "request_type"),
    [
        ("Classify", classification_pb2.ClassificationRequest),
        ("Regress", regression_pb2.RegressionRequest),
        ("MultiInference", inference_pb2.MultiInferenceRequest),
    ],
)
def test_other_methods_say_that_they_are_not_offered(prediction, method: str, request_type: type) -> None:  # type: ignore[no-untyped-def]
    code, details = refused(getattr(prediction, method), request_type())
    assert code == Code.UNIMPLEMENTED
    assert details == f"{method} is not supported: a segmentation model supports Predict"


def test_metadata_tells_the_signatures(prediction) -> None:  # type: ignore[no-untyped-def]
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = MODEL
    response = prediction.GetModelMetadata(request, timeout=60)
    assert (response.model_spec.name, response.model_spec.version.value) == (MODEL, 1)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    serving = signatures.signature_def["serving_default"]
    assert serving.inputs["image"].dtype == types_pb2.DT_STRING
    assert set(serving.outputs) == {"mask_bytes", "class_fractions", "class_names", "mean_confidence"}
    assert {"serving_each", "probabilities", "evaluate"} <= set(signatures.signature_def)


def test_metadata_refuses_what_tensorflow_serving_refuses(prediction) -> None:  # type: ignore[no-untyped-def]
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    assert refused(prediction.GetModelMetadata, request) == (Code.INVALID_ARGUMENT, "Missing ModelSpec")
    request.model_spec.name = MODEL
    request.metadata_field[:] = ["graph"]
    assert refused(prediction.GetModelMetadata, request) == (
        Code.INVALID_ARGUMENT,
        "Metadata field graph is not supported",
    )
    request.metadata_field[:] = []
    assert refused(prediction.GetModelMetadata, request) == (
        Code.INVALID_ARGUMENT,
        "GetModelMetadataRequest must specify at least one metadata_field",
    )


def test_the_status_tells_the_state_of_versions(models) -> None:  # type: ignore[no-untyped-def]
    request = get_model_status_pb2.GetModelStatusRequest()
    assert refused(models.GetModelStatus, request) == (Code.INVALID_ARGUMENT, "Missing ModelSpec")
    request.model_spec.name = MODEL
    (status,) = models.GetModelStatus(request, timeout=60).model_version_status
    assert (status.version, status.state, status.status.error_code) == (1, status.AVAILABLE, 0)
    request.model_spec.version.value = 7
    assert refused(models.GetModelStatus, request) == (Code.NOT_FOUND, "Could not find version 7 of model tiny")
    request.model_spec.ClearField("version")
    request.model_spec.name = "other"
    assert refused(models.GetModelStatus, request) == (
        Code.NOT_FOUND,
        "Could not find any versions of model other",
    )


def test_a_reload_loads_at_once_what_the_registry_serves(host, registry: Registry) -> None:  # type: ignore[no-untyped-def]
    server = host(registry, poll_seconds=3600)
    registry.serve(2)
    request = model_management_pb2.ReloadConfigRequest()
    request.config.model_config_list.config.add(name=MODEL, base_path=f"{registry.uri}/versions")
    with grpc.insecure_channel(server.grpc) as channel:
        response = ModelServiceStub(channel).HandleReloadConfigRequest(request, timeout=60)
    assert response.status.error_code == 0
    assert server.predict(picture()).model_spec.version.value == 2


def test_a_reload_cannot_change_what_the_registry_decides(models) -> None:  # type: ignore[no-untyped-def]
    request = model_management_pb2.ReloadConfigRequest()
    code, details = refused(models.HandleReloadConfigRequest, request)
    assert code == Code.INVALID_ARGUMENT
    assert details.endswith("Only ModelConfigList is currently supported")
    model = request.config.model_config_list.config.add(name="other")
    assert refused(models.HandleReloadConfigRequest, request)[0] == Code.INVALID_ARGUMENT
    model.name, model.base_path = MODEL, "/elsewhere"
    assert refused(models.HandleReloadConfigRequest, request)[0] == Code.INVALID_ARGUMENT
    model.base_path = ""
    model.version_labels["stable"] = 2
    assert refused(models.HandleReloadConfigRequest, request)[0] == Code.FAILED_PRECONDITION
