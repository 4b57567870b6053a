"""Batch jobs over HTTP."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from registry.store import Registry
from tests.docs.blocks import blocks
from tests.serving.test_v2_rest import ask
from tests.support.serving import Hosted, classes_in, needs_curl, picture, wait_until

SUBMIT = "/v1/models/tiny:predictBatch"


def body(*images: bytes, **more: Any) -> bytes:
    rows = [{"b64": base64.b64encode(image).decode()} for image in images]
    return json.dumps({"instances": rows} | more).encode()


def submit(server: Hosted, *images: bytes, path: str = SUBMIT, **more: Any) -> tuple[str, dict[str, Any]]:
    status, headers, answer = ask(server, path, body(*images, **more))
    assert status == 202, answer
    return str(headers["Location"]), json.loads(answer)


def state(server: Hosted, location: str) -> dict[str, Any]:
    return json.loads(ask(server, location)[2])  # type: ignore[no-any-return]


def wait_for_end(server: Hosted, location: str) -> dict[str, Any]:
    wait_until(lambda: state(server, location)["state"] in ("done", "failed"))
    return state(server, location)


@pytest.mark.parametrize("path", [SUBMIT, "/v1/models/tiny/versions/1:predictBatch"])
def test_a_job_is_accepted_watched_read_and_deleted(server: Hosted, path: str) -> None:
    images = [picture(), b"no picture", picture(24, 80, "JPEG")] * 20  # more than a request may have
    location, described = submit(server, *images, path=path)
    assert location == f"/v1/models/tiny/jobs/{described['job']}"
    assert (described["state"], described["images"], described["model_version"]) == ("queued", 60, "1")
    done = wait_for_end(server, location)
    assert (done["state"], done["done"], done["refused"]) == ("done", 60, 20)
    status, _, answer = ask(server, f"{location}/results")
    rows = json.loads(answer)["predictions"]
    assert status == 200
    assert [classes_in(base64.b64decode(row["mask_bytes"]["b64"])) for row in (rows[0], rows[-1])] == [{1}, {1}]
    assert rows[1] == {"error": "picture refused: it is not a JPEG, PNG, GIF or BMP, or its header is broken"}
    single = server.predict_json(images[0])[1]["predictions"][0]
    assert rows[0] == single, "as in an answer to :predict"
    assert ask(server, location, method="DELETE")[::2] == (204, b"")
    for gone in (location, f"{location}/results"):
        status, _, answer = ask(server, gone)
        assert (status, json.loads(answer)["error"][:13]) == (404, "unknown job: ")


@needs_curl
def test_the_command_of_the_docs_submits_a_job(server: Hosted, tmp_path: Path) -> None:
    [block] = [block for block in blocks() if block.mark == ("run", "tests/serving/test_jobs.py")]
    (tmp_path / "picture.jpg").write_bytes(picture(kind="JPEG"))
    command = block.text.replace("localhost:8501", server.http).replace("models/sample", "models/tiny")
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("HTTP/1.1 202 Accepted")
    [location] = re.findall(r"Location: (\S+)", done.stdout)
    assert wait_for_end(server, location)["state"] == "done"


def test_results_are_not_there_before_the_end(host: Callable[..., Hosted], registry: Registry) -> None:
    server = host(registry, batching={"workers": 1})
    location, _ = submit(server, *[picture(1500, 1500, "JPEG")] * 10)
    status, _, answer = ask(server, f"{location}/results")
    assert status == 409
    assert "it is " in json.loads(answer)["error"]
    began = time.monotonic()
    assert server.predict_json(picture())[0] == 200
    waited = time.monotonic() - began
    assert state(server, location)["state"] == "running", "the request did not wait for the job"
    assert waited < 10
    assert ask(server, location, method="DELETE")[0] == 204
    assert server.predict_json(picture())[0] == 200, "after the image that was running"
    page = server.get("/monitoring/prometheus/metrics")[1].decode()
    assert "segpipe_jobs 0.0" in page


def test_limits_are_said(host: Callable[..., Hosted], registry: Registry) -> None:
    server = host(registry, jobs={"count": 1, "pictures": 3})
    status, _, answer = ask(server, SUBMIT, body(*[picture()] * 4))
    assert (status, json.loads(answer)["error"]) == (400, "the job has 4 images, and a job may have 1 to 3")
    location, _ = submit(server, picture())
    status, _, answer = ask(server, SUBMIT, body(picture()))
    assert status == 429
    assert "delete one whose results you have" in json.loads(answer)["error"]
    ask(server, location, method="DELETE")
    submit(server, picture())


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("POST", "/v1/models/other:predictBatch", 404, "Servable not found"),
        ("POST", "/v1/models/tiny/versions/9:predictBatch", 404, "Specific(tiny, 9)"),
        ("POST", "/v1/models/tiny/labels/canary:predictBatch", 400, "Unrecognized servable version label"),
        ("GET", SUBMIT, 405, "takes POST, not GET"),
        ("GET", "/v1/models/tiny/jobs/none", 404, "unknown job: none"),
        ("GET", "/v1/models/other/jobs/none", 404, "unknown model: other"),
        ("POST", "/v1/models/tiny/jobs/none", 405, "takes GET and HEAD and DELETE, not POST"),
        ("DELETE", "/v1/models/tiny/jobs/none/results", 405, "takes GET and HEAD, not DELETE"),
    ],
)
def test_other_requests_are_refused(server: Hosted, method: str, path: str, status: int, words: str) -> None:
    got, _, answer = ask(server, path, body(picture()) if method == "POST" else None, method)
    assert got == status
    assert words in json.loads(answer)["error"]


def test_a_wrong_body_is_refused_as_by_predict(server: Hosted) -> None:
    for wrong in (b"", b"{}", picture(), json.dumps({"instances": [5]}).encode()):
        expected = ask(server, "/v1/models/tiny:predict", wrong)[2]
        status, _, answer = ask(server, SUBMIT, wrong)
        assert (status, answer) == (400, expected)
