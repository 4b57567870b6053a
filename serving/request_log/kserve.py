"""Reads KServe's payload log: requests and responses that KServe's logger sends or stores (pkg/logger).

Files hold JSON: an object, a list, or an object a line.  Two forms are read:

- CloudEvents (type `org.kubeflow.serving.inference.request` and `.response`), in the structured form (`data` or
  `data_base64`), as a receiver stores them;
- what KServe's blob storage writes (`Bytes`, `ReqType`, `Id`), which has no time.

A request and its response have the same id.  Bodies are JSON of the protocol v1 (TensorFlow Serving's) or of the Open
Inference Protocol v2; compressed or binary ones are ignored and counted.  The version is that of the response (v2) or
unknown; the latency is the difference of the events' times.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import datetime
import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from common.signatures import CLASS_FRACTIONS, CLASS_NAMES, ERRORS, MASK_BYTES, MEAN_CONFIDENCE
from serving.request_log.folder import LogFolder
from serving.request_log.measuring import logged_image, pending_images
from serving.request_log.other_logs import OtherRows
from serving.request_log.pending import Answered
from serving.request_log.rows import OK, LoggedImage

_REQUEST, _RESPONSE = "org.kubeflow.serving.inference.request", "org.kubeflow.serving.inference.response"
_OUTPUTS = (MASK_BYTES, CLASS_FRACTIONS, CLASS_NAMES, MEAN_CONFIDENCE, ERRORS)


@dataclasses.dataclass(frozen=True)
class _Event:
    kind: str
    id: str
    model: str | None
    time: datetime.datetime | None
    body: Any


def read_log(folder: LogFolder) -> OtherRows:
    """Returns the rows of all files below the folder, in the order of their names."""
    found = OtherRows()
    requests: dict[str, _Event] = {}
    responses: dict[str, _Event] = {}
    for file in folder.files():
        for document in _documents(folder.read(file.path), found):
            event = _event(document, found)
            if event is not None:
                (requests if event.kind == _REQUEST else responses).setdefault(event.id, event)
    for key, request in requests.items():
        _add(found, request, responses.pop(key, None))
    if responses:
        found.ignored["a response without its request"] += len(responses)
    return found


def _documents(data: bytes, found: OtherRows) -> Iterator[Any]:
    """Yields the JSON objects of a file."""
    try:
        whole = json.loads(data)
    except ValueError:
        for line in filter(None, map(bytes.strip, data.splitlines())):
            try:
                yield json.loads(line)
            except ValueError:
                found.ignored["it is not JSON"] += 1
        return
    yield from whole if isinstance(whole, list) else [whole]


def _event(document: Any, found: OtherRows) -> _Event | None:
    if not isinstance(document, dict):
        found.ignored["it is not an event"] += 1
        return None
    kind, key = document.get("type") or document.get("ReqType"), document.get("id") or document.get("Id")
    if kind not in (_REQUEST, _RESPONSE) or not isinstance(key, str):
        found.ignored["it is not an event of inference"] += 1
        return None
    try:
        body = _body(document)
    except (ValueError, binascii.Error, TypeError):
        found.ignored["its body is not JSON"] += 1
        return None
    model = document.get("inferenceservicename") or document.get("InferenceService")
    return _Event(kind, key, model, _time(document.get("time")), body)


def _body(document: Mapping[str, Any]) -> Any:
    for key in ("data_base64", "Bytes"):
        if key in document:
            return json.loads(base64.b64decode(document[key], validate=True))
    body = document.get("data")
    return json.loads(body) if isinstance(body, str) else body


def _time(text: Any) -> datetime.datetime | None:
    """Returns the time of an event (RFC 3339, with any number of digits)."""
    if not isinstance(text, str):
        return None
    whole, _, rest = text.partition(".")
    zone = rest.lstrip("0123456789") if rest else ""
    digits = rest[: len(rest) - len(zone)][:6].ljust(6, "0") if rest else ""
    try:
        parsed = datetime.datetime.fromisoformat((f"{whole}.{digits}{zone}" if rest else whole).replace("Z", "+00:00"))
    except ValueError:
        return None
    return parsed.astimezone(datetime.timezone.utc) if parsed.tzinfo else None


def _add(found: OtherRows, request: _Event, response: _Event | None) -> None:
    inputs = _inputs(request.body)
    if not inputs:
        found.ignored["its request holds no encoded images"] += 1
        return
    if response is None:
        found.ignored["a request without its response"] += 1
        return
    outputs, version, error = _answer(response.body, len(inputs))
    answered = Answered(request.model or "", version or 0, "", 0.0)
    seconds = (response.time - request.time).total_seconds() if response.time and request.time else None
    status = "UNKNOWN" if error else OK
    known = {"time": response.time, "version": version, "model": request.model, "signature": None, "seconds": seconds}
    found.add([_row(image, known) for image in pending_images(answered, inputs, outputs, status, error)])


def _row(image: Any, known: Mapping[str, Any]) -> LoggedImage:
    return dataclasses.replace(logged_image(image), **known)


def _inputs(body: Any) -> list[bytes]:
    """Returns the images of a request of v1 (`instances`, `inputs`) or v2 (`inputs` with names and data)."""
    if not isinstance(body, dict):
        return []
    values = body.get("instances", body.get("inputs"))
    if isinstance(values, list) and len(values) == 1 and isinstance(values[0], dict) and "datatype" in values[0]:
        values = values[0].get("data")
    if isinstance(values, dict) and len(values) == 1 and "b64" not in values:
        (values,) = values.values()
    images = [_image(value) for value in values] if isinstance(values, list) else []
    return [image for image in images if image is not None] if all(images) else []


def _image(value: Any) -> bytes | None:
    if isinstance(value, dict) and len(value) == 1 and "b64" not in value:
        (value,) = value.values()  # {"image": {"b64": …}}
    text = value.get("b64") if isinstance(value, dict) else value
    try:
        return base64.b64decode(text, validate=True) if isinstance(text, str) else None
    except binascii.Error:
        return None


def _answer(body: Any, images: int) -> tuple[dict[str, Any] | None, int | None, str]:
    """Returns outputs as the server has them, the version, and the error; only outputs of so many images are taken."""
    if not isinstance(body, dict):
        return None, None, "the response is not an object"
    if body.get("error"):
        return None, None, str(body["error"])
    named: dict[str, Any] = {}
    if isinstance(body.get("predictions"), list):
        rows = [row for row in body["predictions"] if isinstance(row, dict)]
        named = {name: [row[name] for row in rows] for name in _OUTPUTS if rows and all(name in row for row in rows)}
    elif isinstance(body.get("outputs"), list):
        named = {one["name"]: _shaped(one) for one in body["outputs"] if one.get("name") in _OUTPUTS and "data" in one}
    elif isinstance(body.get("outputs"), dict):
        named = {name: value for name, value in body["outputs"].items() if name in _OUTPUTS}
    version = str(body.get("model_version", ""))
    outputs = {name: _output(name, value) for name, value in named.items() if len(value) == images}
    return outputs or None, int(version) if version.isdecimal() else None, ""


def _shaped(output: Mapping[str, Any]) -> Any:
    """Returns the data of an output of v2, which may be flat, with its shape."""
    data = np.array(output["data"], dtype=object)
    return data.reshape(output.get("shape") or data.shape).tolist()


def _output(name: str, values: Any) -> Any:
    if name in (CLASS_FRACTIONS, MEAN_CONFIDENCE):
        return np.array(values, np.float32)
    if name == MASK_BYTES:
        return [_image(value) or b"" for value in values]
    if name == CLASS_NAMES:
        return [[text.encode() for text in row] for row in values]
    return [str(value).encode() for value in values]
