"""The messages on the wire, against the generated ones of tensorflow-serving-api and TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, predict_pb2
from tensorflow_serving.apis.get_model_status_pb2 import ModelVersionStatus
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from segpipe_client.answer import ModelBands, VersionState
from segpipe_client.messages import (
    METADATA,
    PREDICT,
    STATUS,
    metadata_request_bytes,
    read_bands,
    read_response,
    read_states,
    read_version,
    request_bytes,
    status_request_bytes,
)

NAMES = [b"ground", "wäter".encode()]


def response(fractions: np.ndarray, mask: bytes = b"\x89PNG", names: list[bytes] | None = None) -> bytes:
    made = predict_pb2.PredictResponse()
    made.model_spec.name = "pets"
    made.model_spec.signature_name = "serving_default"
    made.model_spec.version.value = 2**40
    made.outputs["class_fractions"].CopyFrom(tf.make_tensor_proto(fractions))
    made.outputs["mean_confidence"].CopyFrom(tf.make_tensor_proto([0.75], tf.float32))
    made.outputs["mask_bytes"].CopyFrom(tf.make_tensor_proto([mask]))
    if names:
        made.outputs["class_names"].CopyFrom(tf.make_tensor_proto([names]))
    return made.SerializeToString()


@given(
    st.binary(max_size=300),
    st.text(min_size=1, max_size=9),
    st.none() | st.integers(0, 2**63 - 1),
    st.none() | st.text(min_size=1, max_size=9),
)
def test_a_request_is_read_by_tensorflow_serving_as_it_was_meant(
    picture: bytes, model: str, version: int | None, label: str | None
) -> None:
    if version is not None and label is not None:
        label = None
    request = predict_pb2.PredictRequest.FromString(request_bytes(picture, model, version, label))
    assert request.model_spec.name == model
    assert request.model_spec.WhichOneof("version_choice") == (
        "version" if version is not None else "version_label" if label else None
    )
    assert request.model_spec.version.value == (version or 0)
    assert request.model_spec.version_label == (label or "")
    assert set(request.inputs) == {"image"}
    assert request.inputs["image"].dtype == types_pb2.DT_STRING
    assert tf.make_ndarray(request.inputs["image"]).tolist() == [picture]
    expected = predict_pb2.PredictRequest()
    expected.CopyFrom(request)
    assert request.FindInitializationErrors() == []
    assert len(request.SerializeToString()) == len(request_bytes(picture, model, version, label)), "no unknown field"


@pytest.mark.parametrize("names", [None, NAMES])
def test_a_response_of_tensorflow_serving_is_read(names: list[bytes] | None) -> None:
    fractions = np.array([[0.25, 0.75]], np.float32)
    answer = read_response(response(fractions, names=names))
    assert answer.class_fractions_C == [0.25, 0.75]
    assert answer.mean_confidence == 0.75
    assert answer.mask_png == b"\x89PNG"
    assert answer.class_names == (("ground", "wäter") if names else ())
    assert answer.version == 2**40


def test_floats_are_read_packed_and_one_by_one() -> None:
    values = np.random.default_rng(0).random([1, 30]).astype(np.float32)
    made = predict_pb2.PredictResponse.FromString(response(values))
    assert made.outputs["class_fractions"].tensor_content
    assert read_response(made.SerializeToString()).class_fractions_C == values[0].tolist()
    tensor = made.outputs["class_fractions"]
    tensor.ClearField("tensor_content")
    tensor.float_val.extend(values[0].tolist())
    assert read_response(made.SerializeToString()).class_fractions_C == values[0].tolist()


def test_a_request_may_name_the_signature() -> None:
    sent = request_bytes(b"x", "pets", signature="serving_default")
    assert predict_pb2.PredictRequest.FromString(sent).model_spec.signature_name == "serving_default"


CHOICES = [(None, None), (3, None), (None, "canary")]


@pytest.mark.parametrize(("version", "label"), CHOICES)
def test_a_request_for_states_is_read_by_tensorflow_serving_as_it_was_meant(
    version: int | None, label: str | None
) -> None:
    expected = get_model_status_pb2.GetModelStatusRequest()
    fill(expected, version, label)
    assert status_request_bytes("pets", version, label) == expected.SerializeToString()


@pytest.mark.parametrize(("version", "label"), CHOICES)
def test_a_request_for_metadata_is_read_by_tensorflow_serving_as_it_was_meant(
    version: int | None, label: str | None
) -> None:
    expected = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    fill(expected, version, label)
    assert metadata_request_bytes("pets", version, label) == expected.SerializeToString()


def fill(request: Message, version: int | None, label: str | None) -> None:
    spec = request.model_spec  # type: ignore[attr-defined]
    spec.name = "pets"
    if version is not None:
        spec.version.value = version
    if label is not None:
        spec.version_label = label


@pytest.mark.parametrize("state", ["UNKNOWN", "START", "LOADING", "AVAILABLE", "UNLOADING", "END"])
def test_states_of_tensorflow_serving_are_read(state: str) -> None:
    made = get_model_status_pb2.GetModelStatusResponse()
    one = made.model_version_status.add(version=2**40, state=ModelVersionStatus.State.Value(state))
    one.status.error_message = "it is damaged"
    assert read_states(made.SerializeToString()) == [VersionState(2**40, state, "it is damaged")]


@pytest.mark.parametrize(
    ("dtype", "depth"),
    [(types_pb2.DT_UINT8, "uint8"), (types_pb2.DT_UINT16, "uint16"), (types_pb2.DT_FLOAT, "float32")],
)
def test_the_bands_of_a_model_are_read_from_its_signature_for_raw_samples(dtype: int, depth: str) -> None:
    signatures = get_model_metadata_pb2.SignatureDefMap()
    signatures.signature_def["serving_default"].inputs["image"].dtype = types_pb2.DT_STRING
    assert read_bands(packed(signatures)) is None
    pixels = signatures.signature_def["serving_pixels"].inputs["pixels"]
    pixels.dtype = dtype
    with pytest.raises(ValueError, match="takes no images of bands"):
        read_bands(packed(signatures))
    for size in (-1, -1, -1, 5):
        pixels.tensor_shape.dim.add(size=size)
    assert read_bands(packed(signatures)) == ModelBands(5, depth)


def test_metadata_without_signatures_say_nothing_of_bands() -> None:
    with pytest.raises(ValueError, match="it has no signatures"):
        read_bands(get_model_metadata_pb2.GetModelMetadataResponse().SerializeToString())


def packed(signatures: get_model_metadata_pb2.SignatureDefMap) -> bytes:
    made = get_model_metadata_pb2.GetModelMetadataResponse()
    made.metadata["signature_def"].Pack(signatures)
    return bytes(made.SerializeToString())


def test_the_version_of_metadata_is_read() -> None:
    made = get_model_metadata_pb2.GetModelMetadataResponse()
    made.metadata["signature_def"].Pack(get_model_metadata_pb2.SignatureDefMap())
    with pytest.raises(ValueError, match="it has no version"):
        read_version(made.SerializeToString())
    made.model_spec.version.value = 3
    assert read_version(made.SerializeToString()) == 3


def test_the_methods_are_those_of_the_services() -> None:
    class Channel:
        def unary_unary(self, method: str, **_: object) -> str:
            return method

    assert PredictionServiceStub(Channel()).Predict == PREDICT
    assert PredictionServiceStub(Channel()).GetModelMetadata == METADATA
    assert ModelServiceStub(Channel()).GetModelStatus == STATUS


@given(st.binary(max_size=200))
def test_other_bytes_are_no_answer(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read_response(data)


def test_outputs_of_another_model_are_named() -> None:
    made = predict_pb2.PredictResponse()
    made.outputs["scores"].CopyFrom(tf.make_tensor_proto([1.0]))
    with pytest.raises(ValueError, match="it has no output class_fractions, mask_bytes, mean_confidence"):
        read_response(made.SerializeToString())
    made = predict_pb2.PredictResponse.FromString(response(np.ones([1, 2], np.int64)))
    with pytest.raises(ValueError, match="an output is of type 9, not float"):
        read_response(made.SerializeToString())
