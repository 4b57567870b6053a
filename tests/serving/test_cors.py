"""Web pages of other origins: who may ask, and how a browser is told."""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

import pytest

from registry.store import Registry
from serving.protocol.origins import parse_origin
from tests.support.serving import Hosted

PREDICT = "/v1/models/tiny:predict"
APP = "https://app.example.org"


@pytest.fixture(scope="module")
def open_server(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    folder = tmp_path_factory.mktemp("cors") / "registry"
    shutil.copytree(exported, folder)
    with Hosted(Registry(str(folder)), allow_origins=(APP, "http://localhost:3000")) as hosted:
        yield hosted


def ask(server: Hosted, path: str, method: str, **headers: str) -> tuple[int, Message, bytes]:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    data = b"{}" if method == "POST" else None
    request = urllib.request.Request(server.http + path, data, given, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def test_a_page_that_may_ask_is_told_so_before_it_sends(open_server: Hosted) -> None:
    status, headers, body = ask(
        open_server,
        PREDICT,
        "OPTIONS",
        Origin=APP,
        Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="content-type, authorization",
    )
    assert (status, body) == (204, b"")
    assert headers["Access-Control-Allow-Origin"] == APP
    assert headers["Access-Control-Allow-Methods"] == "GET, POST, DELETE"
    assert headers["Access-Control-Allow-Headers"] == "content-type, authorization"
    assert headers["Vary"] == "Origin"


def test_the_answer_and_an_error_can_be_read_by_the_page(open_server: Hosted) -> None:
    for path, method, status in (("/readyz", "GET", 200), (PREDICT, "POST", 400), ("/nowhere", "GET", 404)):
        got, headers, _ = ask(open_server, path, method, Origin=APP)
        assert got == status
        assert headers["Access-Control-Allow-Origin"] == APP
        assert "Segpipe-Model-Version" in headers["Access-Control-Expose-Headers"]
        assert headers["Vary"] == "Origin"


def test_another_page_is_refused_by_its_browser(open_server: Hosted) -> None:
    status, headers, body = ask(
        open_server, PREDICT, "OPTIONS", Origin="https://evil.example", Access_Control_Request_Method="POST"
    )
    assert status == 403
    assert "--allow-origin" in json.loads(body)["error"]
    assert headers["Access-Control-Allow-Origin"] is None
    status, headers, _ = ask(open_server, "/readyz", "GET", Origin="https://evil.example")
    assert (status, headers["Access-Control-Allow-Origin"], headers["Vary"]) == (200, None, "Origin")


def test_without_the_option_nothing_is_said_of_origins(server: Hosted) -> None:
    status, headers, body = ask(server, PREDICT, "OPTIONS", Origin=APP, Access_Control_Request_Method="POST")
    assert status == 405
    assert "--allow-origin" in json.loads(body)["error"]
    assert headers["Access-Control-Allow-Origin"] is None
    assert ask(server, "/readyz", "GET", Origin=APP)[1]["Access-Control-Allow-Origin"] is None


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("*", "*"),
        (APP, APP),
        ("HTTPS://App.Example.org", APP),
        ("https://app.example.org:443", APP),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("capacitor://localhost", "capacitor://localhost"),
    ],
)
def test_an_origin_is_read_as_browsers_send_it(text: str, origin: str) -> None:
    assert parse_origin(text) == origin


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("app.example.org", "is not an origin"),
        ("https://", "is not an origin"),
        ("https://a.example/", "more than an origin: https://a.example is meant"),
        ("https://a.example/page?x", "more than an origin"),
        ("https://user@a.example", "more than an origin"),
        ("https://*.example.org", "is not an origin"),
        ("https://a.example:port", "is not an origin"),
        ("null", "only \\* allows it"),
        ("", "is not an origin"),
    ],
)
def test_what_is_not_an_origin_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_origin(text)
