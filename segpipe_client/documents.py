"""The JSON documents of TensorFlow Serving's REST API that the client sends and reads."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from .answer import Answer, ModelBands, VersionState
from .errors import (
    DeadlineExceededError,
    PictureRefusedError,
    SegmentationError,
    ServerUnavailableError,
    extract_error_message,
    not_found,
    with_code,
)

VERSION_HEADER = "Segpipe-Model-Version"
"""The version that answered, which TensorFlow Serving tells over gRPC only; the embedded server sends this header."""

_OK = 200
_REFUSED = (400, 413)
_UNAVAILABLE = (429, 502, 503)
_OUT_OF_TIME = (408, 504)
_NOT_FOUND = 404
_CODES = {
    400: "INVALID_ARGUMENT",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
"""HTTP status → the code that TensorFlow Serving makes it of (model_servers/http_server.cc), where there is one."""

_DEPTHS = {"DT_UINT8": "uint8", "DT_UINT16": "uint16", "DT_FLOAT": "float32"}

_Content = TypeVar("_Content")


class RestResponse(NamedTuple):
    """Response as it came, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def request_json(image: bytes) -> bytes:
    """The body of a request for one image."""
    # Base64 needs no escapes, so no JSON encoder has to look at megabytes.
    return b'{"instances":[{"b64":"' + base64.b64encode(image) + b'"}]}'


def read_answer(response: RestResponse) -> Answer:
    """The answer in the response to a prediction.

    Raises:
        SegmentationError: it is an error, or not the answer of a segmentation model.
    """
    return _read(response, _answer, "that of a segmentation model")


def read_states(response: RestResponse) -> list[VersionState]:
    """The states of a model's versions.

    Raises:
        SegmentationError: it is an error, or another document.
    """
    return _read(response, _states, "the states of a model's versions")


def read_version(response: RestResponse) -> int:
    """The version that a model's metadata are of.

    Raises:
        SegmentationError: it is an error, or another document.
    """
    return _read(response, _version, "the metadata of a model")


def read_bands(response: RestResponse) -> ModelBands | None:
    """The bands that a model takes by its metadata; `None` for 8-bit RGB.

    Raises:
        SegmentationError: it is an error, or another document.
    """
    return _read(response, _bands, "the metadata of a model")


def read_checked(response: RestResponse, read: Callable[[RestResponse], _Content], expected: str) -> _Content:
    """What `read` finds in a response that should be `expected`.

    Raises:
        SegmentationError: it is an error, or `read` cannot read it.
    """
    if response.status != _OK:
        raise _error(response)
    try:
        return read(response)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise SegmentationError(f"the server's answer is not {expected} ({type(error).__name__}: {error})") from None


def _read(response: RestResponse, read: Callable[[Any, Mapping[str, str]], _Content], expected: str) -> _Content:
    return read_checked(response, lambda checked: read(json.loads(checked.body), checked.headers), expected)


def _answer(document: Any, headers: Mapping[str, str]) -> Answer:
    (row,) = document["predictions"]
    return Answer(
        mask_png=base64.b64decode(row["mask_bytes"]["b64"]),
        class_fractions_C=[float(share) for share in row["class_fractions"]],
        mean_confidence=float(row["mean_confidence"]),
        class_names=tuple(str(name) for name in row.get("class_names", ())),
        version=int(headers[VERSION_HEADER]) if VERSION_HEADER in headers else None,
    )


def _states(document: Any, _: Mapping[str, str]) -> list[VersionState]:
    return [
        VersionState(int(one["version"]), str(one["state"]), str(one.get("status", {}).get("error_message", "")))
        for one in document["model_version_status"]
    ]


def _version(document: Any, _: Mapping[str, str]) -> int:
    return int(document["model_spec"]["version"])


def _bands(document: Any, _: Mapping[str, str]) -> ModelBands | None:
    signature = document["metadata"]["signature_def"]["signature_def"].get("serving_pixels")
    if signature is None:
        return None
    pixels = signature["inputs"]["pixels"]
    return ModelBands(int(pixels["tensor_shape"]["dim"][-1]["size"]), _DEPTHS[pixels["dtype"]])


def _error(response: RestResponse) -> SegmentationError:
    status = response.status
    return with_code(_error_of_its_kind(response), _CODES.get(status, f"HTTP {status}"))


def _error_of_its_kind(response: RestResponse) -> SegmentationError:
    status, headers, body = response
    message = _message(body) or f"HTTP status {status}"
    if status in _REFUSED:
        return PictureRefusedError(extract_error_message(message))
    if status in _UNAVAILABLE:
        return ServerUnavailableError(message, _retry_after(headers))
    if status in _OUT_OF_TIME:
        return DeadlineExceededError(message)
    return SegmentationError(not_found(message) if status == _NOT_FOUND else f"{message} (HTTP status {status})")


def _message(body: bytes) -> str:
    """The `error` of the body; a body that is not such a document, as a proxy's page, is not shown."""
    try:
        document = json.loads(body)
    except ValueError:
        return ""
    return str(document.get("error", "")) if isinstance(document, dict) else ""


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds; the form with a date is not read (RFC 9110, 10.2.3)."""
    given = headers.get("Retry-After", "")
    return float(given) if given.isascii() and given.isdigit() else 0.0
