"""The Open Inference Protocol over REST, over a real socket."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from email.message import Message
from typing import Any

import pytest

from registry.store import Registry
from segpipe_client import __version__
from segpipe_client.documents import RestResponse
from segpipe_client.v2_documents import JSON_LENGTH, infer_request, read_infer
from segpipe_client.v2_tensors import pack_bytes
from tests.support.serving import CLASS_NAMES, Hosted, classes_in, picture

INFER = "/v2/models/tiny/infer"
IMAGE = {"name": "image", "datatype": "BYTES", "shape": [1], "data": [base64.b64encode(picture()).decode()]}


def ask(
    server: Hosted, path: str, body: bytes | None = None, method: str | None = None, **headers: str
) -> tuple[int, Message, bytes]:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(server.http + path, body, given, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def infer(server: Hosted, document: dict[str, Any], path: str = INFER) -> tuple[int, dict[str, Any]]:
    status, _, body = ask(server, path, json.dumps(document).encode())
    return status, json.loads(body)


def test_server_and_model_describe_themselves(server: Hosted) -> None:
    for path in ("/v2", "/v2/"):
        status, _, body = ask(server, path)
        assert (status, json.loads(body)) == (
            200,
            {"name": "segpipe", "version": __version__, "extensions": ["binary_tensor_data"]},
        )
    for path in ("", "/versions/1", "/versions/stable"):
        status, _, body = ask(server, f"/v2/models/tiny{path}")
        document = json.loads(body)
        assert (status, document["name"], document["versions"]) == (200, "tiny", ["1"])
        assert document["parameters"]["model_version"] == "1"
        assert "serving_each" in document["parameters"]["signatures"].split(",")
        assert document["inputs"] == [{"name": "image", "datatype": "BYTES", "shape": [-1]}]
        outputs = {tensor["name"]: (tensor["datatype"], tensor["shape"]) for tensor in document["outputs"]}
        assert outputs["mask_bytes"] == ("BYTES", [-1])
        assert outputs["class_fractions"][0] == "FP32"
        assert outputs["class_fractions"][1][0] == -1


def test_server_and_model_are_ready(server: Hosted) -> None:
    assert ask(server, "/v2/health/live")[::2] == (200, b'{"live":true}')
    assert ask(server, "/v2/health/ready")[::2] == (200, b'{"ready":true}')
    assert ask(server, "/v2/models/tiny/ready")[::2] == (200, b'{"name":"tiny","ready":true}')
    assert ask(server, "/v2/models/tiny/versions/1/ready")[0] == 200
    assert ask(server, "/v2/models/tiny/versions/9/ready")[::2] == (503, b'{"name":"tiny","ready":false}')
    assert ask(server, "/v2/models/other/ready")[::2] == (404, b'{"error":"unknown model: other"}')


def test_a_server_without_a_model_lives_and_is_not_ready(host, tmp_path) -> None:  # type: ignore[no-untyped-def]
    registry = Registry(str(tmp_path / "empty"))
    (tmp_path / "empty").mkdir()
    server = host(registry, until_ready=False)
    assert ask(server, "/v2/health/live")[0] == 200
    assert ask(server, "/v2/health/ready")[0] == 503
    assert ask(server, "/v2/models/tiny/ready")[0] == 503
    assert infer(server, {"inputs": [IMAGE]})[0] == 404


@pytest.mark.parametrize("path", ["", "/versions/1", "/versions/stable"])
def test_an_image_in_json_gets_a_mask_in_json(server: Hosted, path: str) -> None:
    status, document = infer(server, {"id": "7", "inputs": [IMAGE]}, f"/v2/models/tiny{path}/infer")
    assert status == 200
    assert (document["model_name"], document["model_version"], document["id"]) == ("tiny", "1", "7")
    outputs = {tensor["name"]: tensor for tensor in document["outputs"]}
    assert set(outputs) == {"mask_bytes", "class_fractions", "class_names", "mean_confidence"}
    assert classes_in(base64.b64decode(outputs["mask_bytes"]["data"][0])) == {1}
    assert outputs["class_fractions"]["data"] == [0, 1, 0, 0]
    assert outputs["class_fractions"]["shape"] == [1, 4]
    assert outputs["class_names"]["data"] == list(CLASS_NAMES)


def test_raw_bytes_in_both_directions(server: Hosted) -> None:
    body, given = infer_request(picture())
    status, headers, answer = ask(server, INFER, body, **given)
    assert status == 200
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["Segpipe-Model-Version"] == "1"
    read = read_infer(RestResponse(status, dict(headers), answer))
    assert (classes_in(read.mask_png), read.class_fractions_C, read.version) == ({1}, [0, 1, 0, 0], 1)


def test_an_image_file_may_be_the_whole_body(server: Hosted) -> None:
    status, headers, answer = ask(server, INFER, picture(), **{JSON_LENGTH: "0"})
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert json.loads(answer)["outputs"][0]["name"] == "class_fractions"


def test_only_the_requested_outputs_come_in_their_order_and_form(server: Hosted) -> None:
    outputs = [{"name": "mask_bytes", "parameters": {"binary_data": True}}, {"name": "mean_confidence"}]
    body = json.dumps({"inputs": [IMAGE], "outputs": outputs}).encode()
    _, headers, answer = ask(server, INFER, body)
    length = int(headers[JSON_LENGTH])
    mask, confidence = json.loads(answer[:length])["outputs"]
    assert (mask["name"], mask["parameters"]["binary_data_size"]) == ("mask_bytes", len(answer) - length)
    assert classes_in(answer[length + 4 :]) == {1}
    assert confidence["data"] == [1]


def test_a_batch_and_another_signature(server: Hosted) -> None:
    images = [picture(), b"no picture", picture(24, 80, "JPEG")]
    data = [base64.b64encode(image).decode() for image in images]
    document = {"inputs": [IMAGE | {"shape": [3], "data": data}], "parameters": {"signature_name": "serving_each"}}
    status, answer = infer(server, document)
    assert status == 200
    errors = next(tensor for tensor in answer["outputs"] if tensor["name"] == "errors")
    assert [bool(text) for text in errors["data"]] == [False, True, False]
    assert infer(server, {"inputs": document["inputs"]}) == (
        400,
        {
            "error": "picture refused: index 1 of 3: it is not a JPEG, PNG, GIF or BMP, or its header is broken",
        },
    )


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"inputs": []}, 400, "the model has one input, image, and the request's are: none"),
        ({"inputs": [IMAGE | {"name": "picture"}]}, 400, "the request's are: picture"),
        ({"inputs": [IMAGE, IMAGE]}, 400, "the request's are: image, image"),
        ({"inputs": [IMAGE | {"datatype": "UINT8"}]}, 400, "must be BYTES, encoded images, but UINT8 is given"),
        (
            {"inputs": [IMAGE | {"shape": [2**62]}]},
            400,
            "holds 1 image, so its shape must be [1], not [46116860184273",
        ),
        ({"inputs": [IMAGE | {"shape": [-1]}]}, 400, "must be [1], not [-1]"),
        ({"inputs": [IMAGE | {"shape": [1, 1]}]}, 400, "must be [1], not [1, 1]"),
        ({"inputs": [IMAGE | {"shape": [0], "data": []}]}, 400, "the request holds no image"),
        ({"inputs": [IMAGE | {"data": [""] * 40}]}, 400, "more than 32 elements"),
        ({"outputs": [{"name": "mask"}]}, 400, "output tensor alias not found in signature: mask"),
        ({"outputs": [{"name": "mask_bytes"}] * 2}, 400, "duplicate output tensor alias: mask_bytes"),
        (
            {"outputs": [{"name": "mask_bytes", "parameters": {"classification": 3}}]},
            400,
            "classification: unknown key",
        ),
        ({"parameters": {"signature_name": "no"}}, 400, 'Serving signature name: "no" not found'),
        ({"parameters": {"timeout": 1}}, 504, "the deadline passed"),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(server: Hosted, change: dict[str, Any], status: int, words: str) -> None:
    got, answer = infer(server, {"inputs": [IMAGE]} | change)
    assert got == status
    assert words in answer["error"]


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("POST", "/v2/models/other/infer", 404, "Servable not found for request: Latest(other)"),
        ("POST", "/v2/models/tiny/versions/9/infer", 404, "Specific(tiny, 9)"),
        ("POST", "/v2/models/tiny/versions/canary/infer", 400, "Unrecognized servable version label: canary"),
        ("POST", "/v2/models/tiny/versions/99999999999999999999/infer", 400, "to numeric"),
        ("GET", "/v2/models/other", 404, "Servable not found"),
        ("GET", "/v2/models/%ff", 400, "Failed to decode model name"),
        ("GET", "/v2/models", 404, "unknown address: GET /v2/models"),
        ("GET", "/v2/repository/index", 404, "unknown address"),
        ("GET", INFER, 405, "takes POST, not GET: send"),
        ("POST", "/v2/models/tiny", 405, "takes GET and HEAD, not POST"),
        ("DELETE", "/v2", 405, "takes GET and HEAD, not DELETE"),
    ],
)
def test_other_paths_and_methods_are_refused(server: Hosted, method: str, path: str, status: int, words: str) -> None:
    body = json.dumps({"inputs": [IMAGE]}).encode() if method == "POST" else None
    got, headers, answer = ask(server, path, body, method)
    assert got == status
    assert words in json.loads(answer)["error"]
    assert (headers["Allow"] is not None) == (status == 405)


def test_raw_bytes_that_lie_are_refused_at_once(server: Hosted) -> None:
    document = json.dumps(
        {"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": 2**40}}]}
    ).encode()
    status, _, answer = ask(server, INFER, document + pack_bytes([picture()]), **{JSON_LENGTH: str(len(document))})
    assert status == 400
    assert "follow the JSON" in json.loads(answer)["error"]


def test_a_canary_is_a_version_of_its_own_name(host, registry: Registry) -> None:  # type: ignore[no-untyped-def]
    registry.start_canary(2, 10)
    server = host(registry)
    document: dict[str, Any] = {"inputs": [IMAGE], "outputs": [{"name": "mask_bytes"}]}
    found = {}
    for version in ("stable", "canary", "1", "2"):
        status, answer = infer(server, document, f"/v2/models/tiny/versions/{version}/infer")
        assert status == 200
        found[version] = (answer["model_version"], classes_in(base64.b64decode(answer["outputs"][0]["data"][0])))
    assert found == {"stable": ("1", {1}), "canary": ("2", {2}), "1": ("1", {1}), "2": ("2", {2})}
    assert infer(server, document)[1]["model_version"] == "1", "the stable one"
    assert json.loads(ask(server, "/v2/models/tiny")[2])["versions"] == ["1", "2"]
    canary = json.loads(ask(server, "/v2/models/tiny/versions/canary")[2])
    assert (canary["versions"], canary["parameters"]["model_version"]) == (["2"], "2")


def test_requests_are_counted_apart(server: Hosted) -> None:
    infer(server, {"inputs": [IMAGE]})
    page = server.get("/monitoring/prometheus/metrics")[1].decode()
    assert 'request_latency_count{API="Predict",entrypoint="REST_V2",model_name="tiny"}' in page
