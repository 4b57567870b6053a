"""The command `monitor`: its exit statuses, what it writes, and whom it tells."""

from __future__ import annotations

import datetime
import http.server
import io
import json
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from components.evaluator.reference import make_reference
from pipeline.cli.main import cli
from registry.store import Registry
from serving.request_log.folder import LogFolder
from serving.request_log.rows import LoggedImage, to_table

CLASSES = ("ground",)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Version 1 is served; its reference has a brightness around 0.5."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "saved_model.pb").write_text("graph")
    found = Registry(str(tmp_path / "registry"))
    found.push(
        str(tmp_path / "model"),
        model_name="tiny",
        data_fingerprint="d",
        baseline_version=None,
        metrics={},
        config={},
        software={},
    )
    found.serve(1)
    same = {"class_fraction/ground": 1.0, "mean_confidence": 0.9, "contrast": 0.2, "height": 4, "width": 4}
    values = [same | {"brightness": value} for value in np.random.default_rng(0).normal(0.5, 0.1, 200).tolist()]
    found.write_reference(1, make_reference("test", 200, 0, CLASSES, values).model_dump_json())
    return found


Traffic = Callable[..., None]


@pytest.fixture
def traffic(tmp_path: Path) -> Traffic:
    """Writes 60 rows into the log `tmp_path/log`."""
    random = np.random.default_rng(1)

    def write(brightness: float) -> None:
        now = datetime.datetime.now(datetime.timezone.utc)
        rows = [
            LoggedImage(
                time=now,
                version=1,
                status="OK",
                height=4,
                width=4,
                class_fractions={"ground": 1.0},
                mean_confidence=0.9,
                brightness=value,
                contrast=0.2,
            )
            for value in random.normal(brightness, 0.1, 60).tolist()
        ]
        out = io.BytesIO()
        pq.write_table(to_table(rows), out)
        LogFolder(str(tmp_path / "log")).write(
            f"requests/date={now:%Y-%m-%d}/{now:%H-%M-%S.%f}-x-1-1.parquet", out.getvalue()
        )

    return write


def monitor(registry: Registry, *options: str) -> Result:
    log = str(Path(registry.uri).parent / "log")
    words = ["monitor", registry.uri, "--log", log, "--once", "--window", "60", "--delay", "0", *options]
    return CliRunner().invoke(cli, words)


def test_the_exit_status_says_what_was_found(registry: Registry, traffic: Traffic) -> None:
    traffic(0.5)
    fine = monitor(registry)
    assert (fine.exit_code, "version 1" in fine.output, "no drift" in fine.output) == (0, True, True), fine.output
    traffic(0.8)
    drifted = monitor(registry)
    assert drifted.exit_code == 3
    assert "drifted: brightness (median 0." in drifted.output
    assert monitor(registry, "--exit-zero").exit_code == 0
    assert monitor(registry, "--window", "300").exit_code == 4


def test_a_version_without_a_reference_is_not_judged(registry: Registry, traffic: Traffic, tmp_path: Path) -> None:
    (tmp_path / "registry" / "references" / "1.json").unlink()
    traffic(0.8)
    result = monitor(registry)
    assert result.exit_code == 4
    assert "version 1 has no reference distribution" in result.output


class Webhook(http.server.BaseHTTPRequestHandler):
    told: list[str]

    def do_POST(self) -> None:
        self.told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[str]]]:
    told: list[str] = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("W", (Webhook,), {"told": told})) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", told
        server.shutdown()


def test_the_webhook_is_told_when_drift_begins(
    registry: Registry, traffic: Traffic, webhook: tuple[str, list[str]]
) -> None:
    url, told = webhook
    for brightness, messages in ((0.5, 0), (0.8, 0), (0.8, 1), (0.8, 1)):
        traffic(brightness)
        monitor(registry, "--webhook", url)
        assert len(told) == messages
    assert told[0].startswith("⚠ tiny: drift in service: version 1: drifted: brightness")


def test_a_webhook_that_does_not_answer_is_a_warning(registry: Registry, traffic: Traffic) -> None:
    traffic(0.8)
    result = monitor(registry, "--in-a-row", "1", "--webhook", "ftp://x")
    assert result.exit_code == 3
    assert "warning: the webhook's address, in --webhook or SEGPIPE_WEBHOOK, must begin with https://" in result.output


def test_without_once_it_goes_on_though_a_look_fails_and_serves_metrics(
    registry: Registry, traffic: Traffic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    pages: list[str] = []

    def look_at_metrics(_: float) -> None:
        pages.append(urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode())
        if len(pages) == 1:
            traffic(0.8)
        if len(pages) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.cli.monitor_command.time.sleep", look_at_metrics)
    words = ["monitor", registry.uri, "--log", str(tmp_path / "log"), "--window", "60", "--delay", "0"]
    result = CliRunner().invoke(cli, [*words, "--serve", str(port)])
    assert "not judged: there is no request log at" in result.output
    assert result.output.count("drifted: brightness") == 1, "a window is shown once"
    assert 'segpipe_monitor_drift{model="tiny",version="1"} 1.0' in pages[-1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--false-alarms", "2"], "--false-alarms"),
        (["--window", "soon"], "--window 'soon' is not a window"),
        (["--window", f"{10**12}d"], "is longer than 366 days"),
        (["--delay", "1e9"], "--delay"),
        (["--set", "a=1"], "--set needs --retrain"),
        (["--frames", "0"], "--frames"),
    ],
)
def test_wrong_options_are_told_by_name(registry: Registry, options: list[str], message: str) -> None:
    result = monitor(registry, *options)
    assert result.exit_code == 1
    assert message in result.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--poll", "nan"], "'nan' is not a finite number"),
        (["--retrain-hours", "inf"], "'inf' is not a finite number"),
        (["--textfile", "metrics.txt"], "metrics.txt does not end in .prom, and node_exporter reads no other file"),
    ],
)
def test_values_that_no_command_can_use_are_a_wrong_usage(registry: Registry, options: list[str], message: str) -> None:
    result = monitor(registry, *options)
    assert (result.exit_code, message in result.output) == (2, True), result.output


def test_what_was_found_is_shown_though_a_pushgateway_does_not_answer(registry: Registry, traffic: Traffic) -> None:
    traffic(0.8)
    result = monitor(registry, "--pushgateway", "http://127.0.0.1:1")
    assert result.exit_code == 1
    assert "drifted: brightness" in result.output
    assert "error: the Pushgateway http://127.0.0.1:1 does not take the metrics" in result.output


@pytest.mark.parametrize(
    ("log", "message"),
    [
        ("", "is not a request log, as it has no folder 'requests': did you mean {tmp}/log?"),
        ("/registry", "is not a request log, as it has no folder 'requests': name the folder that"),
    ],
)
def test_another_folder_is_not_taken_for_a_log_without_requests(
    registry: Registry, traffic: Traffic, tmp_path: Path, log: str, message: str
) -> None:
    traffic(0.5)
    result = CliRunner().invoke(cli, ["monitor", registry.uri, "--log", f"{tmp_path}{log}", "--once"])
    assert (result.exit_code, message.format(tmp=tmp_path) in result.output) == (1, True), result.output


def test_an_address_of_an_unknown_kind_ends_the_command_instead_of_being_asked_again_and_again(
    registry: Registry,
) -> None:
    result = CliRunner().invoke(cli, ["monitor", registry.uri, "--log", "s33://bucket/log"])
    assert result.exit_code == 1
    assert "the request log 's33://bucket/log' cannot be opened" in result.output


def without_footer(parquet: bytes) -> bytes:
    """A Parquet file whose footer is zeros, as after a crash of the file system."""
    length = int.from_bytes(parquet[-8:-4], "little")
    return parquet[: -8 - length] + bytes(length) + parquet[-8:]


@pytest.mark.parametrize("damage", [lambda _: b"", without_footer])
def test_a_damaged_file_of_the_log_is_named(
    registry: Registry, traffic: Traffic, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    traffic(0.5)
    (file,) = (tmp_path / "log").rglob("*.parquet")
    file.write_bytes(damage(file.read_bytes()))
    result = monitor(registry)
    assert result.exit_code == 1
    assert f"{file.name} is damaged, or is not a file of a request log" in result.output
    assert result.output.count("\n") == 1
