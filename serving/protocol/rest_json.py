"""JSON requests and responses: TensorFlow Serving's row and columnar formats (util/json_tensor.cc), for byte strings.

A body's size and number of values are checked before it is parsed: nested lists take many times their text's memory,
and encoded images are few values.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any, NamedTuple

import orjson
from grpc import StatusCode

from segpipe_client.errors import shortened
from serving.errors import ServingError, invalid
from serving.model import Outputs, Signature
from serving.protocol.wrong_bodies import RIGHT_FORM, what_base64_is, what_body_is, what_text_is

_B64 = "b64"
BYTES_SUFFIX = "_bytes"
_MOST_VALUES = 10_000
_SHOWN = 48
_TYPES = {dict: "Object", list: "Array", str: "String", int: "Number", float: "Number", type(None): "Null"}

FindSignature = Callable[[str], Signature]


class JsonRequest(NamedTuple):
    """Parsed request; a request in rows gets a response in rows."""

    signature: Signature
    inputs: list[bytes]
    rows: bool


def parse_predict(body: bytes, find_signature: FindSignature, content_type: str = "") -> JsonRequest:
    """Parses the request in `body`; `find_signature` returns a signature by its name, which may be empty.

    `content_type` is only used in the error for a body that is not JSON: TensorFlow Serving ignores it.

    Raises:
        ServingError: the request is invalid; messages are TensorFlow Serving's if it has one for the case.
    """
    document = _parse(body, content_type)
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid(
            f"JSON Value: {_shown(document)} not formatted correctly. 'signature_name' key must be a string value."
        )
    signature = find_signature(name)
    if "instances" in document and "inputs" in document:
        raise invalid(
            f"JSON Value: {_shown(document)} Not formatted correctly expecting only one of 'inputs' or 'instances' "
            "keys to exist "
        )
    if "instances" in document:
        return JsonRequest(signature, _rows(document, signature.input), rows=True)
    if "inputs" in document:
        return JsonRequest(signature, _column(document["inputs"], signature.input), rows=False)
    raise invalid(f"Missing 'inputs' or 'instances' key; send {RIGHT_FORM}")


def predict_json(outputs: Outputs, rows: bool) -> bytes:
    """Formats the response like its request; byte strings are base64 if the output's name ends in `_bytes`.

    Raises:
        ServingError: an output has bytes that are not text, and its name does not end in `_bytes`.
    """
    columns = {name: _printable(name, values_B) for name, values_B in outputs.items()}
    if len(columns) == 1:
        (single,) = columns.values()
        return _dump({"predictions": list(single)} if rows else {"outputs": single})
    if not rows:
        return _dump({"outputs": columns})
    return _dump({"predictions": [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]})


def row_json(outputs: Outputs) -> bytes:
    """Formats the outputs of one image as a row."""
    return _dump({name: _printable(name, values_1)[0] for name, values_1 in outputs.items()})


def error_json(message: str) -> bytes:
    """Formats an error as a response body."""
    return _dump({"error": message})


def check_value_count(body: bytes, advice: str) -> None:
    """Refuses JSON with too many values, before it is parsed.

    Raises:
        ServingError: it has more than the limit; the message ends in `advice`.
    """
    if sum(body.count(mark) for mark in (b",", b"[", b"{", b":")) > _MOST_VALUES:
        raise invalid(f"the JSON has more than {_MOST_VALUES} values: {advice}")


def decode_base64(text: str) -> bytes:
    """Decodes base64 as `absl::Base64Unescape` does: white space and missing padding are allowed, nothing else.

    Raises:
        ServingError: it is not base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        pass
    try:
        compact = "".join(text.split()).rstrip("=")
        return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise invalid(f"Unable to base64 decode: {what_base64_is(text)}") from None


def _parse(body: bytes, content_type: str) -> dict[str, Any]:
    if not body:
        raise invalid(f"JSON Parse error: The document is empty; send {RIGHT_FORM}")
    if what := what_body_is(body, content_type):
        raise invalid(f"JSON Parse error: {what}")
    check_value_count(body, 'send an image as the bytes of its JPEG or PNG file, {"b64": "…"}, not as numbers')
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if not body.lstrip().startswith(b"{"):
            raise invalid(f"JSON Parse error: the body is not JSON; send {RIGHT_FORM}") from None
        message = "the body is not UTF-8 text" if "UTF-8" in error.msg else error.msg
        raise invalid(f"JSON Parse error: {message} at offset: {error.pos}") from None
    if not isinstance(document, dict):
        raise invalid(f"JSON Value: {_shown(document)} Is not object; send {RIGHT_FORM}")
    return document


def _rows(document: dict[str, Any], name: str) -> list[bytes]:
    rows = document["instances"]
    if not isinstance(rows, list):
        raise invalid(f"JSON Value: {_shown(document)} Expecting 'instances' to be an list/array; send {RIGHT_FORM}")
    if not rows:
        raise invalid(f"JSON Value: {_shown(document)} No values in 'instances' array; send {RIGHT_FORM}")
    if _is_named(rows[0]):
        return [_named_row(row, index, name) for index, row in enumerate(rows)]
    return [_plain_row(row, index) for index, row in enumerate(rows)]


def _named_row(row: object, index: int, name: str) -> bytes:
    if not isinstance(row, dict) or not _is_named(row):
        raise invalid(f"Expecting object but got list at item {index} of input list")
    for key, value in row.items():
        try:
            if key != name:
                raise invalid(f"JSON object: does not have named input: {shortened(key)}; the input is {name}")
            return _byte_string(value)
        except ServingError as error:
            raise invalid(
                f"Failed to process element: {index} key: {shortened(key)} of 'instances' list. "
                f"Error: {error.code.name}: {error.message}"
            ) from None
    raise invalid(
        f"Failed to process element: {index} of 'instances' list. JSON object: {_shown(row)} keys must be equal to: "
        f"{name}"
    )


def _plain_row(row: object, index: int) -> bytes:
    if _is_named(row):
        raise invalid(f"Expecting value/list but got object at item {index} of input list")
    try:
        return _byte_string(row)
    except ServingError as error:
        raise invalid(
            f"Failed to process element: {index} of 'instances' list. Error: {error.code.name}: {error.message}"
        ) from None


def _column(inputs: Any, name: str) -> list[bytes]:
    if _is_named(inputs):
        if name not in inputs:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
        inputs = inputs[name]
    if not isinstance(inputs, list):
        raise invalid(f'input {name} must be a list with one value for each image: {{"inputs": [{{"b64": "…"}}]}}')
    return [_byte_string(value) for value in inputs]


def _is_named(value: object) -> bool:
    """Whether `value` maps names of inputs to values, rather than being one."""
    return isinstance(value, dict) and not _is_b64(value)


def _is_b64(value: dict[str, Any]) -> bool:
    return len(value) == 1 and isinstance(value.get(_B64), str)


def _byte_string(value: object) -> bytes:
    if isinstance(value, dict):
        if not _is_b64(value):
            raise invalid(f"JSON Value: {_shown(value)} not formatted correctly for base64 data")
        return decode_base64(value[_B64])
    if isinstance(value, list):
        raise invalid(f"Encountered list at unexpected level: 1 expected < 1; send {RIGHT_FORM}")
    if not isinstance(value, str):
        raise invalid(
            f"JSON Value: {_shown(value)} Type: {_type(value)} is not of expected type: string; send {RIGHT_FORM}"
        )
    if what := what_text_is(value):
        raise invalid(f"the string {what}")
    return value.encode()


def _printable(name: str, values_B: Any) -> Any:
    if values_B.dtype != object:
        return values_B
    if name.endswith(BYTES_SUFFIX):
        return [{_B64: base64.b64encode(value).decode()} for value in values_B]
    try:
        return _texts(values_B.tolist())
    except UnicodeDecodeError:
        raise ServingError(
            StatusCode.INTERNAL, f"output {name} holds bytes that are not text, and its name does not end in _bytes"
        ) from None


def _texts(values: Any) -> Any:
    return [_texts(value) for value in values] if isinstance(values, list) else values.decode()


def _dump(document: dict[str, Any]) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)


def _shown(value: object) -> str:
    return shortened(orjson.dumps(value).decode(errors="replace"), _SHOWN)


def _type(value: object) -> str:
    return str(value) if isinstance(value, bool) else _TYPES[type(value)]
