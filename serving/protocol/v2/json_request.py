"""Body of an inference request over REST: JSON, and behind it the tensors that are sent as raw bytes.

The header `Inference-Header-Content-Length` is the length of the JSON (Triton's extension for binary data). If it is 0
the body is one image as it is, without JSON (Triton's raw binary request).
"""

from __future__ import annotations

from typing import Any

from pydantic import Field, ValidationError

from segpipe_client.errors import shortened
from segpipe_client.v2_answers import INPUT
from segpipe_client.v2_documents import JSON_LENGTH
from segpipe_client.v2_tensors import BYTES
from serving.errors import invalid
from serving.protocol.lookup import DIGITS
from serving.protocol.rest_json import check_value_count, decode_base64
from serving.protocol.v2.infer import InferRequest, InputTensor, elements
from serving.protocol.v2.parameters import (
    Document,
    InputParameters,
    OutputParameters,
    RequestParameters,
    explained,
)
from serving.protocol.wrong_bodies import what_body_is

RIGHT_FORM = (
    'send {"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": ["<base64 of the JPEG, PNG, GIF or '
    f'BMP file>"]}}]}}, or the file itself with the header {JSON_LENGTH}: 0'
)


class _Input(Document):
    name: str
    datatype: str
    shape: list[int]
    parameters: InputParameters | None = None
    data: list[Any] | None = None


class _Output(Document):
    name: str
    parameters: OutputParameters | None = None


class _Request(Document):
    id: str | None = None
    model_name: str | None = Field(default=None, description="Repeats the path's, as KServe's client does.")
    model_version: str | None = None
    parameters: RequestParameters | None = None
    inputs: list[_Input]
    outputs: list[_Output] | None = None


def parse_infer(
    body: bytes, json_length: str | None, content_type: str, limit: int
) -> tuple[InferRequest, dict[str, bool]]:
    """Parses a request; also returns which requested outputs say themselves whether they are sent as raw bytes.

    `json_length` is the header of that name, and `limit` the largest number of images.

    Raises:
        ServingError: the request is not valid.
    """
    length = _json_length(json_length, len(body))
    if json_length is not None and length == 0:
        return InferRequest("", RequestParameters(), [InputTensor(INPUT, BYTES, [1], [body])], ()), {}
    document = _parse(body[:length], content_type)
    outputs = document.outputs or []
    chosen = {one.name: one.parameters.binary_data for one in outputs if one.parameters}
    return InferRequest(
        id=document.id or "",
        parameters=document.parameters or RequestParameters(),
        inputs=_inputs(document.inputs, memoryview(body)[length:], limit),
        outputs=tuple(output.name for output in outputs),
    ), {name: is_binary for name, is_binary in chosen.items() if is_binary is not None}


def _json_length(header: str | None, total: int) -> int:
    if header is None:
        return total
    if not header or not DIGITS.issuperset(header) or len(header) > 18 or int(header) > total:
        raise invalid(f"{JSON_LENGTH} is {shortened(header)}, and must be a length within the body of {total} bytes")
    return int(header)


def _parse(text: bytes, content_type: str) -> _Request:
    if what := what_body_is(text, content_type, RIGHT_FORM):
        raise invalid(what)
    check_value_count(text, "send images as base64 or as raw bytes, not as numbers")
    try:
        return _Request.model_validate_json(text)
    except ValidationError as error:
        raise invalid(f"{explained(error).message}; {RIGHT_FORM}") from None


def _inputs(inputs: list[_Input], raw: memoryview, limit: int) -> list[InputTensor]:
    sizes = [one.parameters.binary_data_size if one.parameters else None for one in inputs]
    declared = sum(size for size in sizes if size is not None)
    if declared != len(raw):
        raise invalid(
            f"the inputs' binary_data_size is {declared} bytes in all, and {len(raw)} follow the JSON; the header "
            f"{JSON_LENGTH} is the JSON's length"
        )
    tensors, at = [], 0
    for index, (one, size) in enumerate(zip(inputs, sizes, strict=True)):
        values = _values(one, index, limit) if size is None else elements(raw[at : at + size], one.name, limit)
        if size is not None and one.data is not None:
            raise invalid(f"inputs.{index} has both data and binary_data_size")
        at += size or 0
        tensors.append(InputTensor(one.name, one.datatype, one.shape, values))
    return tensors


def _values(given: _Input, index: int, limit: int) -> list[bytes]:
    """Decodes base64: JSON holds text, and no image is text."""
    if given.data is None:
        raise invalid(f"inputs.{index} has neither data nor the parameter binary_data_size")
    if given.datatype != BYTES:  # Refused with the signature's name by `infer`.
        return []
    if len(given.data) > limit:
        raise invalid(f"inputs.{index}.data holds more than {limit} elements: send several requests")
    values = []
    for place, text in enumerate(given.data):
        if not isinstance(text, str):
            raise invalid(f"inputs.{index}.data.{place} must be a string, the base64 of an image file; {RIGHT_FORM}")
        values.append(decode_base64(text))
    return values
