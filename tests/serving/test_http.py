"""HTTP as people expect it: HEAD wherever GET is, and gzip in both directions."""

from __future__ import annotations

import gzip
import http.client
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.store import Registry
from segpipe_client.v2_documents import JSON_LENGTH, infer_request
from tests.support.memory import peak_memory
from tests.support.serving import MODEL, Hosted, Served, picture

GET_PATHS = (
    *("/", "/page/page.js", "/page/palette.json", "/healthz", "/readyz", "/monitoring/prometheus/metrics"),
    *(f"/v1/models/{MODEL}", f"/v1/models/{MODEL}/metadata", f"/v1/models/{MODEL}/versions/1"),
    *("/v2", "/v2/health/live", "/v2/health/ready", f"/v2/models/{MODEL}", f"/v2/models/{MODEL}/ready"),
)
MEGABYTE = 1 << 20


class Answer(http.client.HTTPResponse):
    """A response with its body."""

    body: bytes


def ask(server: Hosted | Served, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
    connection = http.client.HTTPConnection(server.http.removeprefix("http://"), timeout=60)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, given)
    response: Answer = connection.getresponse()  # type: ignore[assignment]
    response.body = response.read()
    connection.close()
    return response


@pytest.mark.parametrize("path", GET_PATHS)
def test_head_is_answered_as_get_without_the_body(server: Hosted, path: str) -> None:
    got, head = ask(server, "GET", path), ask(server, "HEAD", path)
    assert (got.status, head.status) == (200, 200)
    assert head.body == b""
    if "metrics" not in path:  # They change with each request.
        assert head.headers["Content-Length"] == str(len(got.body))
    assert head.headers["Content-Type"] == got.headers["Content-Type"]


def test_head_of_what_only_takes_post_is_refused(server: Hosted) -> None:
    for path in (f"/v1/models/{MODEL}:predict", f"/v2/models/{MODEL}/infer"):
        response = ask(server, "HEAD", path)
        assert (response.status, response.headers["Allow"], response.body) == (405, "POST", b"")


def test_answers_are_compressed_for_those_who_ask(server: Hosted) -> None:
    path = "/page/page.js"
    plain = ask(server, "GET", path)
    assert plain.headers["Content-Encoding"] is None
    assert plain.headers["Vary"] == "Accept-Encoding"
    packed = ask(server, "GET", path, Accept_Encoding="br, gzip")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < len(plain.body) / 2
    assert ask(server, "GET", path, Accept_Encoding="gzip;q=0").headers["Content-Encoding"] is None
    head = ask(server, "HEAD", path, Accept_Encoding="gzip")
    assert head.headers["Content-Length"] == str(len(packed.body))


def test_small_answers_are_not_compressed(server: Hosted) -> None:
    response = ask(server, "GET", "/v2/health/live", Accept_Encoding="gzip")
    assert (response.headers["Content-Encoding"], response.body) == (None, b'{"live":true}')


def test_requests_and_answers_with_raw_bytes_may_be_compressed(server: Hosted) -> None:
    body, headers = infer_request(picture(400, 300))
    plain = ask(server, "POST", f"/v2/models/{MODEL}/infer", body, **headers)
    packed = ask(
        server,
        "POST",
        f"/v2/models/{MODEL}/infer",
        gzip.compress(body),
        **headers,
        Content_Encoding="gzip",
        Accept_Encoding="gzip",
    )
    assert (plain.status, packed.status) == (200, 200)
    answer = gzip.decompress(packed.body) if packed.headers["Content-Encoding"] else packed.body
    assert answer == plain.body
    assert packed.headers[JSON_LENGTH] == plain.headers[JSON_LENGTH], "the length without compression"


@pytest.mark.parametrize("path", [f"/v1/models/{MODEL}:predict", f"/v2/models/{MODEL}/infer"])
@pytest.mark.parametrize("body", [b"no gzip", gzip.compress(b"{}" * 500, mtime=0)[:-9]], ids=["no gzip", "cut off"])
def test_damaged_gzip_is_refused(server: Hosted, path: str, body: bytes) -> None:
    response = ask(server, "POST", path, body, Content_Encoding="gzip")
    assert response.status == 400
    assert json.loads(response.body)["error"]


@pytest.fixture(scope="module")
def process(exported: Path) -> Iterator[Served]:
    with Served(Registry(str(exported)).uri, "--max-body", "4") as served:
        yield served


def test_a_bomb_of_gzip_is_cut_off_at_the_limit_of_bodies(process: Served) -> None:
    assert ask(process, "POST", f"/v2/models/{MODEL}/infer", b"{}").status == 400
    before = peak_memory(process.process.pid)
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join([*(packer.compress(bytes(MEGABYTE)) for _ in range(512)), packer.flush()])
    assert len(bomb) < MEGABYTE
    for path in (f"/v1/models/{MODEL}:predict", f"/v2/models/{MODEL}/infer"):
        response = ask(process, "POST", path, bomb, Content_Encoding="gzip")
        assert response.status == 413
        assert json.loads(response.body)["error"]
    assert peak_memory(process.process.pid) - before < 100 * MEGABYTE
