"""The REST API over a real socket; texts and statuses are those of TensorFlow Serving's sources."""

from __future__ import annotations

import base64
import json
import subprocess
import urllib.parse
from pathlib import Path

import pytest

from tests.docs.blocks import blocks
from tests.serving.documented import for_server
from tests.support.serving import CLASS_NAMES, CLASSES, Hosted, classes_in, needs_curl, picture

B64 = {"b64": base64.b64encode(picture()).decode()}
PREDICT = "/v1/models/tiny:predict"
FORM = '{"instances": [{"b64": "<base64 of the JPEG, PNG, GIF or BMP file>"}]}'


def send(server: Hosted, document: object, path: str = PREDICT) -> tuple[int, dict]:  # type: ignore[type-arg]
    status, body = server.post(path, document if isinstance(document, bytes) else json.dumps(document).encode())
    return status, json.loads(body)


@needs_curl
def test_the_command_of_the_docs_gets_a_mask(server: Hosted, tmp_path: Path) -> None:
    (command,) = [block.text for block in blocks() if block.mark == ("run", "tests/serving/test_rest.py")]
    (tmp_path / "picture.jpg").write_bytes(picture(kind="JPEG"))
    done = subprocess.run(["bash", "-c", for_server(command, server)], cwd=tmp_path, capture_output=True, check=True)
    (answer,) = json.loads(done.stdout)["predictions"]
    assert classes_in(base64.b64decode(answer["mask_bytes"]["b64"])) == {1}


@pytest.mark.parametrize("row", [B64, {"image": B64}])
def test_rows_are_answered_in_rows(server: Hosted, row: dict[str, object]) -> None:
    status, answer = send(server, {"instances": [row, row]})
    assert status == 200
    first, second = answer["predictions"]
    assert first == second
    assert set(first) == {"mask_bytes", "class_fractions", "class_names", "mean_confidence"}
    assert classes_in(base64.b64decode(first["mask_bytes"]["b64"])) == {1}
    assert first["class_fractions"] == [0, 1, 0, 0]
    assert first["class_names"] == list(CLASS_NAMES)


@pytest.mark.parametrize("inputs", [[B64], {"image": [B64]}])
def test_columns_are_answered_in_columns(server: Hosted, inputs: object) -> None:
    status, answer = send(server, {"inputs": inputs})
    assert status == 200
    assert set(answer["outputs"]) == {"mask_bytes", "class_fractions", "class_names", "mean_confidence"}
    assert len(answer["outputs"]["mean_confidence"]) == 1
    assert classes_in(base64.b64decode(answer["outputs"]["mask_bytes"][0]["b64"])) == {1}


def test_of_several_rows_the_refused_one_is_told_where_each_is_asked_for_itself(server: Hosted) -> None:
    bad = {"b64": base64.b64encode(b"no picture").decode()}
    status, answer = send(server, {"signature_name": "serving_each", "instances": [B64, bad]})
    assert status == 200
    good, refused = answer["predictions"]
    assert (good["errors"], refused["errors"][:17]) == ("", "picture refused: ")
    assert classes_in(base64.b64decode(good["mask_bytes"]["b64"])) == {1}
    assert (refused["mask_bytes"], refused["class_fractions"]) == ({"b64": ""}, [0, 0, 0, 0])


def test_a_single_output_stands_without_its_name(server: Hosted) -> None:
    status, answer = send(server, {"signature_name": "probabilities", "instances": [B64]})
    assert status == 200
    (probabilities_HWC,) = answer["predictions"]
    assert len(probabilities_HWC) == len(probabilities_HWC[0]) == 32
    assert probabilities_HWC[0][0] == pytest.approx([0, 1, 0, 0], abs=1e-6)
    status, answer = send(server, {"signature_name": "probabilities", "inputs": [B64]})
    assert len(answer["outputs"][0][0][0]) == CLASSES


@pytest.mark.parametrize("path", ["/versions/1", "/labels/stable", "/Versions/01"])
def test_a_version_can_be_asked_by_number_and_by_label(server: Hosted, path: str) -> None:
    assert send(server, {"instances": [B64]}, f"/v1/models/tiny{path}:predict")[0] == 200


def test_a_name_may_be_escaped(server: Hosted) -> None:
    escaped = "".join(f"%{ord(letter):02x}" for letter in "tiny")
    assert send(server, {"instances": [B64]}, f"/v1/models/{escaped}:predict")[0] == 200
    assert urllib.parse.unquote(escaped) == "tiny"


@pytest.mark.parametrize("text", ["AAAA\nAAA=", "AAAAAAA"])
def test_base64_may_have_line_breaks_and_lack_its_padding(server: Hosted, text: str) -> None:
    status, answer = send(server, {"instances": [{"b64": text}]})
    assert status == 400
    assert answer["error"].startswith("picture refused")


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (b"", f"JSON Parse error: The document is empty; send {FORM}"),
        ([1], f"JSON Value: [1] Is not object; send {FORM}"),
        ({}, f"Missing 'inputs' or 'instances' key; send {FORM}"),
        ({"instances": []}, """JSON Value: {"instances":[]} No values in 'instances' array; send """ + FORM),
        ({"instances": 5}, """JSON Value: {"instances":5} Expecting 'instances' to be an list/array; send """ + FORM),
        (
            {"instances": [1], "inputs": [1]},
            """JSON Value: {"instances":[1],"inputs":[1]} Not formatted correctly expecting only one of 'inputs' or """
            "'instances' keys to exist ",
        ),
        (
            {"signature_name": 3},
            """JSON Value: {"signature_name":3} not formatted correctly. """
            "'signature_name' key must be a string value.",
        ),
        ({"signature_name": "no", "instances": [1]}, 'Serving signature name: "no" not found in signature def'),
        (
            {"instances": [5]},
            "Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT: "
            f"JSON Value: 5 Type: Number is not of expected type: string; send {FORM}",
        ),
        ({"inputs": [True]}, f"JSON Value: true Type: True is not of expected type: string; send {FORM}"),
        (
            {"instances": [{"picture": B64}]},
            "Failed to process element: 0 key: picture of 'instances' list. Error: INVALID_ARGUMENT: "
            "JSON object: does not have named input: picture; the input is image",
        ),
        (
            {"instances": [{}]},
            "Failed to process element: 0 of 'instances' list. JSON object: {} keys must be equal to: image",
        ),
        ({"instances": [B64, {"image": B64}]}, "Expecting value/list but got object at item 1 of input list"),
        ({"instances": [{"image": B64}, B64]}, "Expecting object but got list at item 1 of input list"),
        ({"inputs": {"picture": [B64]}}, "Missing named input: image in 'inputs' object."),
        (
            {"inputs": [{"b64": "AAAA", "x": 1}]},
            """JSON Value: {"b64":"AAAA","x":1} not formatted correctly for base64 data""",
        ),
        ({"inputs": [{"b64": "A*=="}]}, "Unable to base64 decode: its alphabet is A–Z, a–z, 0–9, + and /"),
        (
            {"inputs": [{"b64": "-_-_"}]},
            "Unable to base64 decode: it is base64 for URLs (- and _), send the standard alphabet (+ and /)",
        ),
        ({"inputs": [[B64]]}, f"Encountered list at unexpected level: 1 expected < 1; send {FORM}"),
        (
            {"inputs": ["text"]},
            "picture refused: it is not a JPEG, PNG, GIF or BMP, or its header is broken",
        ),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(server: Hosted, document: object, error: str) -> None:
    assert send(server, document) == (400, {"error": error})


def test_broken_json_is_told_where_it_breaks(server: Hosted) -> None:
    status, answer = send(server, b'{"instances": [}')
    assert status == 400
    assert answer["error"].startswith("JSON Parse error: ")
    assert answer["error"].endswith(" at offset: 15")


def test_pictures_as_numbers_are_refused_before_they_are_parsed(server: Hosted) -> None:
    status, answer = send(server, {"instances": [[[0.5] * 3] * 100] * 100})
    assert status == 400
    assert '{"b64": "…"}' in answer["error"]


def test_json_in_json_in_json_is_refused(server: Hosted) -> None:
    for depth in (2_000, 4_000):
        assert send(server, b'{"instances": ' + b"[" * depth + b"]" * depth + b"}")[0] == 400


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("POST", "/v1/models/other:predict", 404, "Servable not found for request: Latest(other)"),
        ("POST", "/v1/models/tiny/versions/9:predict", 404, "Servable not found for request: Specific(tiny, 9)"),
        ("POST", "/v1/models/tiny/labels/no:predict", 400, "Unrecognized servable version label: no"),
        ("POST", "/v1/models/tiny/versions/99999999999999999999:predict", 400, None),
        ("POST", "/v1/models/tiny:classify", 501, "classify is not supported: a segmentation model supports predict"),
        ("POST", "/v1/models/tiny:regress", 501, "regress is not supported: a segmentation model supports predict"),
        ("POST", "/v1/models/tiny", 400, "Malformed request: POST /v1/models/tiny"),
        ("POST", "/v1/models/tiny:explain", 400, "Malformed request: POST /v1/models/tiny:explain"),
        ("PUT", PREDICT, 405, f"{PREDICT} takes POST, not PUT: send {FORM}"),
        ("GET", PREDICT, 405, f"{PREDICT} takes POST, not GET: send {FORM}"),
        ("GET", "/v1/", 400, "Malformed request: GET /v1/"),
        ("GET", "/v1/models", 400, "Missing model name in request."),
        ("GET", "/v1/models/other", 404, "Could not find any versions of model other"),
        ("GET", "/v1/models/tiny/versions/7", 404, "Could not find version 7 of model tiny"),
        ("GET", "/v1/models/other/metadata", 404, "Servable not found for request: Latest(other)"),
        ("GET", "/v1/models/%ff", 400, "Failed to decode model name:%ff"),
    ],
)
def test_other_paths_are_refused(server: Hosted, method: str, path: str, status: int, error: str | None) -> None:
    body = json.dumps({"instances": [B64]}).encode()
    got, answer = server.get(path) if method == "GET" else server.post(path, body, method)
    assert got == status, answer
    text = json.loads(answer)["error"]
    assert text == (error or "Failed to convert version: 99999999999999999999 to numeric.")


def test_the_status_has_the_form_of_tensorflow_serving(server: Hosted) -> None:
    expected = {
        "model_version_status": [
            {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        ]
    }
    for path in ("/v1/models/tiny", "/v1/models/tiny/versions/1", "/v1/models/tiny/labels/stable"):
        status, body = server.get(path)
        assert (status, json.loads(body)) == (200, expected)


def test_the_metadata_have_the_form_of_tensorflow_serving(server: Hosted) -> None:
    status, body = server.get("/v1/models/tiny/metadata")
    document = json.loads(body)
    assert status == 200
    assert document["model_spec"] == {"name": "tiny", "signature_name": "", "version": "1"}
    signature = document["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["method_name"] == "tensorflow/serving/predict"
    assert signature["inputs"]["image"]["dtype"] == "DT_STRING"
    assert signature["inputs"]["image"]["tensor_shape"] == {
        "dim": [{"name": "", "size": "-1"}],
        "unknown_rank": False,
    }


def test_what_happens_is_counted_under_the_names_of_tensorflow_serving(server: Hosted) -> None:
    send(server, {"instances": [B64]})
    send(server, {"instances": [B64]}, "/v1/models/other:predict")
    status, body = server.get("/monitoring/prometheus/metrics")
    assert status == 200
    lines = body.decode().splitlines()
    for start in (
        ':tensorflow:serving:request_count{model_name="tiny",status="OK"} ',
        ':tensorflow:serving:request_count{model_name="tiny",status="NOT_FOUND"} ',
        ':tensorflow:serving:request_latency_count{API="Predict",entrypoint="REST",model_name="tiny"} ',
        ':tensorflow:serving:runtime_latency_count{API="Predict",model_name="tiny",runtime="TF1"} ',
        'segpipe_version{label="stable"} 1',
        'segpipe_version_loads_total{outcome="loaded"} 1',
    ):
        assert any(line.startswith(start) for line in lines), start


def test_the_server_says_that_it_lives_and_that_it_is_ready(server: Hosted) -> None:
    assert server.get("/healthz") == (200, b"ok\n")
    status, body = server.get("/readyz")
    assert (status, json.loads(body)) == (200, {"model": "tiny", "labels": {"stable": 1}})
