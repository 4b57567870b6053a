"""Requests that apps send by mistake: each is named, with the form that is right, and nothing is repeated at length."""

from __future__ import annotations

import base64
import gzip
import json
import socket

import pytest

from tests.support.serving import Hosted, picture

PREDICT = "/v1/models/tiny:predict"
FORM = '{"instances": [{"b64": "'
PNG, JPEG = picture(), picture(kind="JPEG")
TEXT = base64.b64encode(JPEG).decode()
GOOD = json.dumps({"instances": [{"b64": TEXT}]}).encode()
LONG = "k" * 10_000


def refused(server: Hosted, body: object, **headers: str) -> str:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    status, answer = server.post(PREDICT, data, **headers)
    assert status == 400, answer
    return str(json.loads(answer)["error"])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"instances": [TEXT]}, "the string is base64 without its key"),
        ({"instances": [{"image": TEXT}]}, "the string is base64 without its key"),
        ({"instances": [f"data:image/jpeg;base64,{TEXT}"]}, "the string is a data URI"),
        ({"instances": ["https://example.org/cat.jpg"]}, "the server fetches no images"),
        ({"instances": ["photos/cat.jpg"]}, "the server reads no files"),
        ({"instances": {"b64": TEXT}}, "Expecting 'instances' to be an list/array"),
        ({"image": TEXT}, "Missing 'inputs' or 'instances' key"),
        ({"b64": TEXT}, "Missing 'inputs' or 'instances' key"),
        ([{"b64": TEXT}], "Is not object"),
        (TEXT, "the body is a JSON string"),
        (JPEG, "the body is a JPEG file itself"),
        (PNG, "the body is a PNG file itself"),
        (TEXT.encode(), "the body is base64 without the JSON around it"),
        (b"image=" + TEXT.encode(), "the body is a form's fields"),
        (f"data:image/jpeg;base64,{TEXT}".encode(), "the body is a data URI"),
        (b"\xef\xbb\xbf" + GOOD, "byte order mark"),
        (GOOD.decode().encode("utf-16"), "UTF-16"),
        (gzip.compress(GOOD), "gzip data without the header `Content-Encoding: gzip`"),
        (b"hello", "the body is not JSON"),
    ],
)
def test_a_frequent_mistake_is_named_with_the_form_that_is_right(server: Hosted, body: object, words: str) -> None:
    error = refused(server, body)
    assert words in error
    assert FORM in error


def test_an_upload_of_a_form_is_named(server: Hosted) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.png"\r\n\r\n' + PNG + b"\r\n--x--\r\n"
    error = refused(server, body, **{"Content-Type": "multipart/form-data; boundary=x"})
    assert "a form's upload (multipart)" in error
    assert FORM in error


def test_base64_that_is_not_plain_says_why(server: Hosted) -> None:
    assert "it is a data URI" in refused(server, {"instances": [{"b64": f"data:image/png;base64,{TEXT}"}]})
    assert "it is base64 for URLs" in refused(
        server, {"instances": [{"b64": TEXT.replace("/", "_").replace("+", "-")}]}
    )


@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded", "text/plain"])
def test_what_is_json_is_taken_whatever_its_content_type(server: Hosted, content_type: str) -> None:
    assert server.post(PREDICT, GOOD, **{"Content-Type": content_type})[0] == 200


def test_a_compressed_body_that_says_so_is_taken(server: Hosted) -> None:
    assert server.post(PREDICT, gzip.compress(GOOD), **{"Content-Encoding": "gzip"})[0] == 200


def test_another_method_is_told_the_right_one(server: Hosted) -> None:
    status, answer = server.get(PREDICT)
    assert status == 405
    assert "takes POST, not GET" in json.loads(answer)["error"]


@pytest.mark.parametrize(
    "body",
    [
        {"instances": [{LONG: {"b64": TEXT}}]},
        {"instances": [{"b64": TEXT, LONG: 1}]},
        {"instances": LONG},
        {"instances": [5], "signature_name": LONG},
        {"instances": [{"b64": LONG + "*"}]},
        {"inputs": {LONG: []}},
        [LONG],
        LONG.encode(),
        b'{"' + LONG.encode() + b'": ',
    ],
)
def test_an_error_does_not_repeat_what_was_sent(server: Hosted, body: object) -> None:
    error = refused(server, body)
    assert len(error) < 400
    assert "k" * 70 not in error


@pytest.mark.parametrize(
    "path", [f"/v1/models/{LONG[:7000]}", f"/v1/models/tiny/labels/{LONG[:7000]}", f"/v1/{LONG[:7000]}"]
)
def test_nor_does_it_repeat_an_address(server: Hosted, path: str) -> None:
    for answer in (server.get(path)[1], server.post(f"{path}:predict", GOOD)[1]):
        assert len(answer) < 300


@pytest.mark.parametrize(
    "lines",
    [
        b"Transfer-Encoding: chunked\r\n\r\n" + LONG.encode() + b"\r\n",
        b'Transfer-Encoding: chunked\r\n\r\n5\r\n{"ins\r\n' + LONG.encode() + b"\r\n",
        b"No header " + LONG.encode() + b"\r\n\r\n",
        b"Header: " + LONG.encode() + b"\r\n\r\n",
        b"Content-Length: 5" + LONG.encode() + b"\r\n\r\n",
    ],
    ids=["chunk", "second chunk", "no header", "long header", "length"],
)
def test_what_is_not_http_is_refused_without_an_echo(server: Hosted, lines: bytes) -> None:
    host, port = server.http.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\n".encode() + lines)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b" 400 " in head.splitlines()[0]
    assert len(answer) < 500
    assert json.loads(body)["error"].startswith("the request is not valid HTTP")
