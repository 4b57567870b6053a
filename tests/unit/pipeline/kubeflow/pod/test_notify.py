"""What the webhook is told, by a real server that listens."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from common.errors import UserError
from common.progress import LOGGER_NAME
from common.webhook import WEBHOOK_VARIABLE, send
from pipeline.kubeflow.pod.notify import compose, main_from

SECRET = "T000/B000/xyzzy"
COMPLETE = {"state": "COMPLETE", "pipelineTaskName": "pipeline", "pipelineJobResourceName": "cells-x7k2p", "error": {}}


class Webhook(HTTPServer):
    """Keeps what it is sent; answers with `answers` in turn, and with the last one from then on."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = [200]
        self.bodies: list[Any] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/services/{SECRET}"


class _Handler(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        assert self.headers["Content-Type"] == "application/json"
        self.server.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        answers = self.server.answers
        self.send_response(answers.pop(0) if len(answers) > 1 else answers[0])
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with Webhook() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("COMPLETE", "✅ cells: run nightly 3 ended well"),
        ("CACHED", "✅ cells: run nightly 3 ended well"),
        ("SUCCEEDED", "✅ cells: run nightly 3 ended well"),
        ("SKIPPED", "✅ cells: run nightly 3 ended well"),
        ("FAILED", "❌ cells: run nightly 3 failed"),
        ("CANCELED", "⏹ cells: run nightly 3 was terminated"),
        ("RUNNING", "❔ cells: run nightly 3 ended; the backend has not recorded how"),
        ("", "❔ cells: run nightly 3 ended; the backend has not recorded how"),
    ],
)
def test_the_text_says_which_run_of_which_pipeline_ended_how(state: str, said: str) -> None:
    assert compose({"state": state}, run_name="nightly 3", pipeline="cells")["text"] == said


def failed(*lines: str) -> dict[str, Any]:
    status = {"state": "FAILED", "error": {"code": 2, "message": "\n".join(lines)}}
    return compose(status, run_name="r", pipeline="p")


def test_an_error_is_told_without_a_traceback() -> None:
    message = failed("", "the data gate stopped <mean> & more", "Traceback (most recent call last):", "  File a")
    assert message["text"].endswith("failed: the data gate stopped &lt;mean&gt; &amp; more")
    assert message["blocks"][1]["text"]["text"] == "```the data gate stopped &lt;mean&gt; &amp; more```"


def test_of_several_findings_the_first_are_told_and_the_others_are_counted() -> None:
    message = failed(*(f"finding {number}" for number in range(7)))
    assert message["text"].endswith("failed: finding 0 (and 6 more)")
    lines = message["blocks"][1]["text"]["text"].strip("`").splitlines()
    assert lines == [*(f"finding {number}" for number in range(5)), "… and 2 more"]


def test_the_runs_page_is_linked_where_the_dashboard_is_known() -> None:
    message = compose(COMPLETE, run_id="1b-2c", pipeline="p", ui="https://kubeflow.example.org/pipeline/")
    assert message["blocks"][-1]["text"]["text"].startswith(
        "<https://kubeflow.example.org/pipeline/#/runs/details/1b-2c|"
    )
    assert len(compose(COMPLETE, run_id="1b-2c", pipeline="p")["blocks"]) == 1


def test_a_run_without_a_name_is_called_as_the_backend_calls_it() -> None:
    assert "run cells-x7k2p ended well" in compose(COMPLETE)["text"]


def test_the_task_tells_the_webhook(webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WEBHOOK_VARIABLE, webhook.url + "\n")
    main_from({"status": COMPLETE, "run_id": "1", "run_name": "r", "pipeline": "p", "ui": ""})
    [body] = webhook.bodies
    assert body["text"] == "✅ p: run r ended well"
    assert {block["type"] for block in body["blocks"]} == {"section"}


@pytest.mark.parametrize("parameters", [{}, {"status": None}, {"status": {}}])
def test_a_status_that_is_missing_does_not_keep_it_from_telling(
    webhook: Webhook, monkeypatch: pytest.MonkeyPatch, parameters: dict[str, Any]
) -> None:
    monkeypatch.setenv(WEBHOOK_VARIABLE, webhook.url)
    main_from(parameters)
    assert webhook.bodies[0]["text"].startswith("❔")


def test_without_an_address_the_task_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WEBHOOK_VARIABLE, " ")
    with pytest.raises(UserError, match=r"kubeflow\.webhook is empty"):
        main_from({"status": COMPLETE})


@pytest.mark.parametrize("passing", [500, 503, 429, 408])
def test_it_tries_again_while_that_may_help(webhook: Webhook, passing: int) -> None:
    webhook.answers = [passing, passing, 200]
    send(webhook.url, {"text": "x"}, waits=(0, 0))
    assert len(webhook.bodies) == 3


def test_it_gives_up_after_three_times(webhook: Webhook) -> None:
    webhook.answers = [500]
    with pytest.raises(UserError, match="could not be notified: it answered 500"):
        send(webhook.url, {"text": "x"}, waits=(0, 0))
    assert len(webhook.bodies) == 3


def test_what_would_be_refused_again_is_not_sent_again(webhook: Webhook) -> None:
    webhook.answers = [404]
    with pytest.raises(UserError, match="it answered 404"):
        send(webhook.url, {"text": "x"}, waits=(0, 0))
    assert len(webhook.bodies) == 1


def test_a_server_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/{SECRET}"
        with pytest.raises(UserError, match="could not be notified"):
            send(url, {"text": "x"}, timeout=0.1, waits=(0,))


@pytest.mark.parametrize(
    "url",
    [
        f"ftp://example.org/{SECRET}",
        f"file:///{SECRET}",
        f"example.org/{SECRET}",
        f"http://[{SECRET}",
        f"http://127.0.0.1:{SECRET}/",
        f"http://127.0.0.1:1/{SECRET}",
        f"http://127.0.0.1:1/{SECRET} and more",
        f"http://nobody.invalid/{SECRET}",
    ],
)
def test_the_address_is_never_said(url: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, LOGGER_NAME), pytest.raises(UserError) as caught:
        send(url, {"text": "x"}, waits=(0,))
    for word in ("xyzzy", "T000", "127.0.0.1", "nobody"):
        assert word not in str(caught.value) + caplog.text
