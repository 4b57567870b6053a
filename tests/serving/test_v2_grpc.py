"""The Open Inference Protocol over gRPC, over a real socket."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from segpipe_client.v2_messages import add_parameters, message_class, method_path, read_parameters
from segpipe_client.v2_tensors import pack_bytes, unpack
from tests.support.serving import CLASS_NAMES, Hosted, classes_in, picture

Code = grpc.StatusCode


@pytest.fixture(scope="module")
def channel(server: Hosted) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(server.grpc) as opened:
        yield opened


def call(channel: grpc.Channel, method: str, request: Any = None, **fields: Any) -> Any:
    sent = request if request is not None else message_class(f"{method}Request")(**fields)
    response = channel.unary_unary(method_path(method))(sent.SerializeToString(), timeout=60)
    return message_class(f"{method}Response").FromString(response)


def infer_request(*images: bytes, raw: bool = True, version: str = "") -> Any:
    request = message_class("ModelInferRequest")(model_name="tiny", model_version=version, id="7")
    tensor = request.inputs.add(name="image", datatype="BYTES", shape=[len(images)])
    if raw:
        request.raw_input_contents.append(pack_bytes(images))
    else:
        tensor.contents.bytes_contents.extend(images)
    return request


def refused(channel: grpc.Channel, request: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call(channel, "ModelInfer", request)
    return caught.value.code(), caught.value.details()


def test_server_and_model_are_ready_and_describe_themselves(channel: grpc.Channel) -> None:
    assert call(channel, "ServerLive").live
    assert call(channel, "ServerReady").ready
    metadata = call(channel, "ServerMetadata")
    assert (metadata.name, list(metadata.extensions)) == ("segpipe", ["binary_tensor_data"])
    for version, ready in (("", True), ("1", True), ("stable", True), ("9", False), ("canary", False)):
        assert call(channel, "ModelReady", name="tiny", version=version).ready is ready
    assert not call(channel, "ModelReady", name="other").ready
    model = call(channel, "ModelMetadata", name="tiny")
    assert (model.name, list(model.versions), model.platform) == ("tiny", ["1"], "tensorflow_savedmodel")
    assert [(one.name, one.datatype, list(one.shape)) for one in model.inputs] == [("image", "BYTES", [-1])]
    assert read_parameters(model.parameters)["model_version"] == "1"
    with pytest.raises(grpc.RpcError) as caught:
        call(channel, "ModelMetadata", name="other")
    assert caught.value.code() == Code.NOT_FOUND


@pytest.mark.parametrize("version", ["", "1", "stable"])
def test_raw_bytes_are_answered_in_raw_bytes(channel: grpc.Channel, version: str) -> None:
    response = call(channel, "ModelInfer", infer_request(picture(), picture(24, 80, "JPEG"), version=version))
    assert (response.model_name, response.model_version, response.id) == ("tiny", "1", "7")
    outputs = {
        tensor.name: unpack(tensor.datatype, tensor.shape, raw)
        for tensor, raw in zip(response.outputs, response.raw_output_contents, strict=True)
    }
    assert [classes_in(mask) for mask in outputs["mask_bytes"]] == [{1}, {1}]
    assert outputs["class_fractions"].tolist() == [[0, 1, 0, 0]] * 2
    assert [name.decode() for name in outputs["class_names"][0]] == list(CLASS_NAMES)


def test_typed_fields_are_answered_in_typed_fields(channel: grpc.Channel) -> None:
    response = call(channel, "ModelInfer", infer_request(picture(), raw=False))
    assert not response.raw_output_contents
    outputs = {tensor.name: tensor.contents for tensor in response.outputs}
    assert classes_in(outputs["mask_bytes"].bytes_contents[0]) == {1}
    assert list(outputs["class_fractions"].fp32_contents) == [0, 1, 0, 0]


def test_parameters_choose_the_form_and_the_signature(channel: grpc.Channel) -> None:
    request = infer_request(picture(), b"no picture", raw=False)
    add_parameters(request.parameters, {"signature_name": "serving_each", "binary_data_output": True})
    request.outputs.add(name="errors")
    response = call(channel, "ModelInfer", request)
    assert [tensor.name for tensor in response.outputs] == ["errors"]
    errors = unpack("BYTES", [2], response.raw_output_contents[0])
    assert [bool(text) for text in errors] == [False, True]


def test_what_is_not_there_is_refused(channel: grpc.Channel) -> None:
    assert refused(channel, infer_request(picture(), version="2"))[0] == Code.NOT_FOUND
    assert refused(channel, infer_request(picture(), version="canary"))[0] == Code.INVALID_ARGUMENT
    assert refused(channel, message_class("ModelInferRequest")()) == (
        Code.INVALID_ARGUMENT,
        "ModelSpec has no name specified.",
    )


def test_a_request_that_lies_is_refused(channel: grpc.Channel) -> None:
    request = infer_request(picture())
    request.raw_input_contents[0] = b"\xff\xff\xff\xff"
    assert "says 4294967295 bytes, and 0 follow" in refused(channel, request)[1]
    request.raw_input_contents.append(b"")
    assert "has 1 inputs, and raw_input_contents of 2" in refused(channel, request)[1]
    request = infer_request(picture())
    request.inputs[0].contents.bytes_contents.append(b"x")
    assert "contents of an input as well" in refused(channel, request)[1]
    for shape in ([2**62], [-1], [1, 1], []):
        request = infer_request(picture())
        request.inputs[0].shape[:] = shape
        assert "its shape must be [1]" in refused(channel, request)[1]
    request = infer_request(picture())
    request.inputs[0].datatype = "FP32"
    assert "must be BYTES" in refused(channel, request)[1]
    assert refused(channel, infer_request())[1] == "the request holds no image"
    assert "more than 32 elements" in refused(channel, infer_request(*[b""] * 40))[1]


def test_unknown_parameters_are_refused(channel: grpc.Channel) -> None:
    request = infer_request(picture())
    add_parameters(request.parameters, {"sequence_id": 3})
    assert refused(channel, request) == (Code.INVALID_ARGUMENT, "parameters.sequence_id: unknown key")
    request = infer_request(picture())
    add_parameters(request.inputs[0].parameters, {"shared_memory_region": "x"})
    assert refused(channel, request)[1] == "inputs.image.parameters.shared_memory_region: unknown key"
    request = infer_request(picture())
    request.outputs.add(name="mask_bytes")
    add_parameters(request.outputs[0].parameters, {"classification": 3})
    assert refused(channel, request)[1] == "outputs.mask_bytes.parameters.classification: unknown key"


def test_a_refused_image_is_told_in_a_sentence(channel: grpc.Channel) -> None:
    code, details = refused(channel, infer_request(b"no picture"))
    assert (code, details[:17]) == (Code.INVALID_ARGUMENT, "picture refused: ")
