"""Bodies of inference requests: JSON and raw bytes are read as they were meant, or refused before they cost much."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segpipe_client.v2_tensors import pack_bytes
from serving.errors import ServingError
from serving.protocol.v2.infer import InferRequest
from serving.protocol.v2.json_request import parse_infer

LIMIT = 4
images = st.lists(st.binary(max_size=60), min_size=1, max_size=LIMIT)


def tensor(values: list[bytes], **more: Any) -> dict[str, Any]:
    return {"name": "image", "datatype": "BYTES", "shape": [len(values)], **more}


def parse(document: object, raw: bytes = b"", length: str | None = None) -> InferRequest:
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    given = length if length is not None else str(len(text)) if raw else None
    return parse_infer(text + raw, given, "application/json", LIMIT)[0]


def refusal(*arguments: Any, **options: Any) -> str:
    with pytest.raises(ServingError) as caught:
        parse(*arguments, **options)
    assert caught.value.http_status == 400
    return caught.value.message


@given(images)
def test_images_arrive_as_they_were_sent(values: list[bytes]) -> None:
    as_text = tensor(values, data=[base64.b64encode(value).decode() for value in values])
    raw = pack_bytes(values)
    as_bytes = tensor(values, parameters={"binary_data_size": len(raw)})
    for request in (parse({"inputs": [as_text]}), parse({"inputs": [as_bytes]}, raw)):
        (given,) = request.inputs
        assert (given.name, given.datatype, given.shape, given.values) == ("image", "BYTES", [len(values)], values)


@given(st.binary(max_size=100))
def test_a_body_without_json_is_one_image(body: bytes) -> None:
    (given,) = parse(b"", body, length="0").inputs
    assert given == ("image", "BYTES", [1], [body])


def test_id_outputs_and_parameters_are_read() -> None:
    document = {
        "id": "7",
        "model_name": "tiny",
        "inputs": [tensor([b""], data=[""])],
        "outputs": [{"name": "mask_bytes", "parameters": {"binary_data": True}}, {"name": "class_names"}],
        "parameters": {"binary_data_output": False, "signature_name": "serving_each", "timeout": 1_500_000},
    }
    request, binary = parse_infer(json.dumps(document).encode(), None, "", LIMIT)
    assert (request.id, request.outputs, binary) == ("7", ("mask_bytes", "class_names"), {"mask_bytes": True})
    assert (request.parameters.signature_name, request.parameters.seconds) == ("serving_each", 1.5)


JSON = json.dumps({"inputs": [tensor([b""], parameters={"binary_data_size": 4})]}).encode()


@pytest.mark.parametrize("length", ["-1", "9" * 30, "1e1", " 5", "", "٣", str(len(JSON) + 5)])
def test_a_length_of_the_json_that_is_none_is_refused(length: str) -> None:
    assert "must be a length within the body" in refusal(JSON, b"\0\0\0\0", length=length)


@pytest.mark.parametrize(
    ("size", "raw", "words"),
    [
        (5, b"\0\0\0\0", "binary_data_size is 5 bytes in all, and 4 follow the JSON"),
        (0, b"\0\0\0\0", "binary_data_size is 0 bytes in all, and 4 follow the JSON"),
        (2**62, b"\0\0\0\0", "and 4 follow the JSON"),
        (4, b"\xff\xff\xff\xff", "element 0 says 4294967295 bytes, and 0 follow"),
        (3, b"\0\0\0", "ends within the length of element 0"),
        (20, b"\0\0\0\0" * 5, "holds more than 4 elements"),
        (-4, b"\0\0\0\0", "inputs.0.parameters.binary_data_size: Input should be greater than or equal to 0"),
        (True, b"\0", "inputs.0.parameters.binary_data_size: Input should be a valid integer"),
    ],
)
def test_sizes_that_lie_are_refused(size: Any, raw: bytes, words: str) -> None:
    assert words in refusal({"inputs": [tensor([b""], parameters={"binary_data_size": size})]}, raw)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({}, "inputs: Field required"),
        ([1], "Input should be an object"),
        ({"input": []}, "inputs: Field required"),
        ({"inputs": [], "output": []}, "output: unknown key"),
        ({"inputs": [], "id": 5}, "id: Input should be a valid string"),
        ({"inputs": [], "parameters": {"priority": 1}}, "parameters.priority: unknown key"),
        ({"inputs": [], "parameters": {"timeout": 0}}, "parameters.timeout: Input should be greater than 0"),
        ({"inputs": [tensor([b""])]}, "inputs.0 has neither data nor the parameter binary_data_size"),
        ({"inputs": [tensor([b""], data=[5])]}, "inputs.0.data.0 must be a string"),
        ({"inputs": [tensor([b""], data=["a*"])]}, "Unable to base64 decode"),
        ({"inputs": [tensor([b""], data=["data:image/png;base64,AAAA"])]}, "it is a data URI"),
        ({"inputs": [tensor([b""], data=[""] * 5)]}, "inputs.0.data holds more than 4 elements"),
        ({"inputs": [tensor([b""], data=[""], parameters={"content_type": "str"})]}, "Input should be 'base64'"),
        ({"inputs": [tensor([b""], data=[""], parameters={"binary_data_size": 0})]}, "has both data and binary_data"),
        ({"inputs": [tensor([], data=[[0.5] * 100] * 200)]}, "more than 10000 values"),
        (b"", "Invalid JSON"),
        (b'{"inputs": [}', "Invalid JSON"),
        (b'{"inputs": "\xff"}', "Invalid JSON"),
        (b"[" * 5000, "Invalid JSON"),
        (b"\xff\xd8\xff\xe0", "the body is a JPEG file itself: send"),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(document: object, words: str) -> None:
    assert words in refusal(document)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["name", "data", "x"]), inner),
    max_leaves=12,
)
tensors = st.fixed_dictionaries(
    {"name": json_values, "datatype": st.just("BYTES") | json_values, "shape": json_values},
    optional={"data": json_values, "parameters": json_values},
)


@given(
    st.fixed_dictionaries({}, optional={"inputs": st.lists(tensors, max_size=2) | json_values, "outputs": json_values}),
    st.binary(max_size=20),
)
def test_whatever_comes_is_read_or_refused(document: dict[str, Any], raw: bytes) -> None:
    try:
        request = parse(document, raw)
    except ServingError as error:
        assert error.http_status == 400
        assert len(error.message) < 600
    else:
        assert all(isinstance(value, bytes) for given in request.inputs for value in given.values)
