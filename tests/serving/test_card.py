"""The model card at `/v1/models/NAME/card`."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest

from registry.store import Registry
from tests.support.serving import Hosted

FORMS = {"html": "<!doctype html>\n<p>card", "json": '{"schema_version": "0.0.2"}', "md": "# card"}
CARD = "/v1/models/tiny/card"


def asked(server: Hosted, path: str, accept: str = "*/*") -> tuple[str, str, dict[str, str]]:
    request = urllib.request.Request(server.http + path, headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.headers.get_content_type(), answer.read().decode(), dict(answer.headers)


@pytest.fixture(scope="module")
def with_card(server: Hosted, exported: Path) -> Hosted:
    """The server of a version that had no card, and got one while it was served."""
    status, body = server.get(CARD)
    assert status == 404
    assert json.loads(body)["error"] == "version 1 was pushed without a model card: run the pipeline again"
    Registry(str(exported)).write_card(1, FORMS)  # type: ignore[arg-type]
    return server


@pytest.mark.parametrize("path", [CARD, "/v1/models/tiny/versions/1/card", "/v1/models/tiny/labels/stable/card"])
def test_a_browser_gets_the_page_which_may_load_nothing(with_card: Hosted, path: str) -> None:
    kind, text, headers = asked(with_card, path, "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
    assert (kind, text) == ("text/html", FORMS["html"])
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'unsafe-inline'")


@pytest.mark.parametrize(
    ("query", "accept", "form"),
    [
        ("", "*/*", "html"),
        ("", "application/json", "json"),
        ("", "text/markdown;q=0.9", "md"),
        ("?format=json", "text/html", "json"),
        ("?format=md", "*/*", "md"),
    ],
)
def test_the_form_is_asked_by_the_address_or_else_by_the_header(
    with_card: Hosted, query: str, accept: str, form: str
) -> None:
    assert asked(with_card, CARD + query, accept)[1] == FORMS[form]


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        (f"{CARD}?format=pdf", 400, "format pdf is none of html, json, md"),
        ("/v1/models/tiny/versions/7/card", 404, "Servable not found for request: Specific(tiny, 7)"),
        ("/v1/models/other/card", 404, "Servable not found for request: Latest(other)"),
    ],
)
def test_what_is_not_there_is_said(with_card: Hosted, path: str, status: int, sentence: str) -> None:
    found, body = with_card.get(path)
    assert (found, json.loads(body)["error"]) == (status, sentence)
