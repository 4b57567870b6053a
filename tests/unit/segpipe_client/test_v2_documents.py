"""Version 2 in the client: what it sends, and how it reads answers of servers with and without raw bytes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segpipe_client.address import parse_address
from segpipe_client.answer import Answer, ModelBands, VersionState
from segpipe_client.documents import RestResponse
from segpipe_client.errors import SegmentationError
from segpipe_client.v2_calls import V2GrpcCalls
from segpipe_client.v2_documents import JSON_LENGTH, infer_request, read_bands, read_infer, read_states, read_version
from segpipe_client.v2_messages import add_parameters, message_class, read_parameters
from segpipe_client.v2_tensors import datatype_of, pack

MASK = b"\x89PNG"
OUTPUTS = {
    "mask_bytes": np.array([MASK], object),
    "class_fractions": np.array([[0.25, 0.75]], np.float32),
    "class_names": np.array([[b"ground", "wäter".encode()]], object),
    "mean_confidence": np.array([0.5], np.float32),
}
ANSWER = Answer(MASK, [0.25, 0.75], 0.5, ("ground", "wäter"), 7)


def raw_response(outputs: dict[str, np.ndarray] = OUTPUTS, version: str = "7") -> RestResponse:
    parts = [pack(values) for values in outputs.values()]
    tensors = [
        {
            "name": name,
            "datatype": datatype_of(values),
            "shape": values.shape,
            "parameters": {"binary_data_size": len(part)},
        }
        for (name, values), part in zip(outputs.items(), parts, strict=True)
    ]
    document = json.dumps({"model_name": "pets", "model_version": version, "outputs": tensors}).encode()
    return RestResponse(200, {JSON_LENGTH: str(len(document))}, b"".join([document, *parts]))


def test_raw_bytes_are_read() -> None:
    assert read_infer(raw_response()) == ANSWER
    assert read_infer(raw_response(version="v1.2")).version is None


def test_a_server_without_raw_bytes_is_read_too() -> None:
    tensors = [
        {"name": "mask_bytes", "datatype": "BYTES", "shape": [1], "data": ["iVBORw=="]},
        {"name": "class_fractions", "datatype": "FP32", "shape": [1, 2], "data": [[0.25, 0.75]]},
        {"name": "class_names", "datatype": "BYTES", "shape": [1, 2], "data": ["ground", "wäter"]},
        {"name": "mean_confidence", "datatype": "FP32", "shape": [1], "data": [0.5]},
    ]
    body = json.dumps({"model_version": "7", "outputs": tensors}).encode()
    assert read_infer(RestResponse(200, {}, body)) == ANSWER


@pytest.mark.parametrize(
    "body",
    [b"[]", b"{}", b'{"outputs": [{"name": "mask_bytes", "datatype": "BYTES", "shape": [9], "data": []}]}', b"\xff"],
)
def test_another_document_is_an_error_of_the_client(body: bytes) -> None:
    with pytest.raises(SegmentationError, match="not that of a segmentation model"):
        read_infer(RestResponse(200, {}, body))


@given(st.integers(-5, 3000))
def test_a_length_that_lies_is_an_error_of_the_client(length: int) -> None:
    response = raw_response()
    if str(length) == response.headers[JSON_LENGTH]:
        return
    with pytest.raises(SegmentationError):
        read_infer(response._replace(headers={JSON_LENGTH: str(length)}))


def test_the_request_has_the_image_as_raw_bytes() -> None:
    body, headers = infer_request(b"\xff\xd8")
    length = int(headers[JSON_LENGTH])
    document = json.loads(body[:length])
    assert body[length:] == b"\2\0\0\0\xff\xd8"
    assert document["inputs"][0] == {
        "name": "image",
        "datatype": "BYTES",
        "shape": [1],
        "parameters": {"binary_data_size": 6},
    }


def metadata(versions: list[str], parameters: dict[str, Any], **of_input: Any) -> RestResponse:
    inputs = [{"name": "image", "datatype": "BYTES", "shape": [-1], "parameters": of_input}]
    document = {"name": "pets", "versions": versions, "platform": "x", "inputs": inputs, "outputs": []}
    return RestResponse(200, {}, json.dumps(document | {"parameters": parameters}).encode())


def test_metadata_say_the_version_and_the_bands() -> None:
    of_ours = metadata(["1", "2"], {"model_version": "1"}, bands=7, depth="uint16")
    assert read_version(of_ours) == 1
    assert read_bands(of_ours) == ModelBands(7, "uint16")
    assert read_states(of_ours) == [VersionState(2, "AVAILABLE", ""), VersionState(1, "AVAILABLE", "")]


def test_another_server_says_its_version_if_it_has_one_only() -> None:
    assert read_version(metadata(["3"], {})) == 3
    assert read_bands(metadata(["3"], {})) is None
    with pytest.raises(SegmentationError, match="names 2 versions"):
        read_version(metadata(["3", "4"], {}))


@pytest.mark.parametrize("raw", [True, False])
def test_a_message_is_read_with_raw_bytes_and_with_typed_fields(raw: bool) -> None:
    response = message_class("ModelInferResponse")(model_name="pets", model_version="7")
    for name, values in OUTPUTS.items():
        tensor = response.outputs.add(name=name, datatype=datatype_of(values), shape=values.shape)
        if raw:
            response.raw_output_contents.append(pack(values))
        elif values.dtype == object:
            tensor.contents.bytes_contents.extend(values.ravel().tolist())
        else:
            tensor.contents.fp32_contents.extend(values.ravel().tolist())
    call = V2GrpcCalls(parse_address("v2+grpc://a/v2/models/pets/versions/7")).predict(b"image")
    assert call.method == "/inference.GRPCInferenceService/ModelInfer"
    assert call.read(response.SerializeToString()) == ANSWER
    request = message_class("ModelInferRequest").FromString(call.request)
    assert (request.model_name, request.model_version) == ("pets", "7")
    assert list(request.raw_input_contents) == [b"\5\0\0\0image"]


@given(st.dictionaries(st.text(max_size=5), st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text()))
def test_parameters_keep_their_type(parameters: dict[str, Any]) -> None:
    request = message_class("ModelInferRequest")()
    add_parameters(request.parameters, parameters)
    read = read_parameters(message_class("ModelInferRequest").FromString(request.SerializeToString()).parameters)
    assert repr(read) == repr(parameters), "repr tells 1 from True, and nan from nothing"
