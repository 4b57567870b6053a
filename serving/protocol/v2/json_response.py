"""Body of an inference response over REST: JSON, and behind it the tensors that are sent as raw bytes."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import orjson

from segpipe_client.v2_tensors import BYTES, datatype_of, pack
from serving.model import Outputs
from serving.protocol.rest_json import BYTES_SUFFIX


class ResponseBody(NamedTuple):
    """Body of a response, and the length of its JSON if raw bytes follow."""

    body: bytes
    json_bytes: int | None


def infer_body(head: Mapping[str, str], outputs: Outputs, binary: Mapping[str, bool], default: bool) -> ResponseBody:
    """Returns the body; `binary` says which outputs are sent as raw bytes, and `default` what holds for the others."""
    tensors, parts = [], []
    for name, values in outputs.items():
        tensor: dict[str, Any] = {"name": name, "datatype": datatype_of(values), "shape": list(values.shape)}
        if binary.get(name, default):
            parts.append(pack(values))
            tensor["parameters"] = {"binary_data_size": len(parts[-1])}
        else:
            tensor |= _data(name, values)
        tensors.append(tensor)
    document = orjson.dumps({**head, "outputs": tensors}, option=orjson.OPT_SERIALIZE_NUMPY)
    return ResponseBody(b"".join([document, *parts]), len(document) if parts else None)


def _data(name: str, values: np.ndarray) -> dict[str, Any]:
    """Values in row-major order; bytes that are not text are base64, which a parameter says as in MLServer."""
    flat = values.ravel()
    if datatype_of(values) != BYTES:
        return {"data": flat}
    if name.endswith(BYTES_SUFFIX):
        return {
            "parameters": {"content_type": "base64"},
            "data": [base64.b64encode(value).decode() for value in flat],
        }
    return {"data": [value.decode(errors="replace") for value in flat]}
