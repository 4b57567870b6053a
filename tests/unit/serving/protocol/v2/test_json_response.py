"""Bodies of inference responses, read as the client reads them."""

from __future__ import annotations

import json

import numpy as np

from segpipe_client.documents import RestResponse
from segpipe_client.v2_documents import JSON_LENGTH, read_infer
from serving.protocol.v2.json_response import infer_body

OUTPUTS = {
    "mask_bytes": np.array([b"\x89PNG"], object),
    "class_fractions": np.array([[0.1, 0.9]], np.float32),
    "class_names": np.array([[b"a", "ä".encode()]], object),
    "mean_confidence": np.array([0.5], np.float32),
}
HEAD = {"model_name": "pets", "model_version": "3"}


def test_the_client_reads_the_same_from_json_and_from_raw_bytes() -> None:
    as_json = infer_body(HEAD, OUTPUTS, {}, False)
    raw = infer_body(HEAD, OUTPUTS, {}, True)
    assert as_json.json_bytes is None
    answers = [
        read_infer(RestResponse(200, {}, as_json.body)),
        read_infer(RestResponse(200, {JSON_LENGTH: str(raw.json_bytes)}, raw.body)),
    ]
    assert [answer.mask_png for answer in answers] == [b"\x89PNG"] * 2
    assert [answer.class_names for answer in answers] == [("a", "ä")] * 2
    assert [np.float32(answer.class_fractions_C).tolist() for answer in answers] == [
        OUTPUTS["class_fractions"][0].tolist()
    ] * 2


def test_each_output_may_be_raw_or_json() -> None:
    body, length = infer_body(HEAD, OUTPUTS, {"mask_bytes": True}, False)
    document = json.loads(body[:length])
    assert body[length:] == b"\4\0\0\0\x89PNG"
    mask, fractions, names, _ = document["outputs"]
    assert mask == {"name": "mask_bytes", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": 8}}
    assert fractions["data"] == [0.1, 0.9]
    assert (names["shape"], names["data"]) == ([1, 2], ["a", "ä"])


def test_bytes_that_are_not_text_are_base64_and_say_so() -> None:
    document = json.loads(infer_body(HEAD, OUTPUTS, {}, False).body)
    assert document["outputs"][0]["data"] == ["iVBORw=="]
    assert document["outputs"][0]["parameters"] == {"content_type": "base64"}
