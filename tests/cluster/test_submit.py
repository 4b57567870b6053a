"""`segpipe submit --watch` against Kubeflow's API server, which runs the pipeline on pods and is killed meanwhile."""

from __future__ import annotations

import http.server
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kubeflow.pipelines_api import PipelinesApi
from tests.kubeflow.real_pods import ACCOUNT, STEP_IMAGE, RealPods, why_no_api, why_not
from tests.support.cluster import HOST, Cluster
from tests.support.tiny import ENVIRONMENT, command, segpipe, write_data, write_use_case

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(why_not()), reason=why_not() or "can run"),
]
SETTINGS = [
    "workspace=null",
    "data.source.root=data",
    "registry=registry",
    "kubeflow.steps={default: {retries: 0}}",
    "kubeflow.webhook={secret: webhook, key: url}",
    f"kubeflow.image={STEP_IMAGE}",
    f"kubeflow.service_account={ACCOUNT}",
]
FOUND = "20 of 60 pairs are quarantined: 33.3%"
STEP = "Compute statistics"
"""The step during which the server is away: the only one at that time, and it takes longer than the outage.

Kubeflow's driver and launcher ask the same server for cached tasks before and after a step (backend/src/v2/cacheutils/cache.go,
2.17.0), so that a step which begins or ends during an outage fails, whatever watches it.
"""
OUTAGE = 5.0
"""Seconds without an API server."""


class Webhook(http.server.BaseHTTPRequestHandler):
    """Keeps what it is told in its server's `told`."""

    def do_POST(self) -> None:
        self.server.told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def webhook() -> Iterator[http.server.HTTPServer]:
    with http.server.HTTPServer((HOST, 0), Webhook) as server:
        server.told = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The claim `segpipe`, with data of which a third is broken."""
    folder = tmp_path_factory.mktemp("volume")
    config = write_use_case(folder)
    assert segpipe("schema", "infer", config).returncode == 0
    write_data(folder / "data")
    for image in sorted((folder / "data" / "images").iterdir())[::3]:
        image.write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def there(
    cluster: Cluster, volume: Path, webhook: http.server.HTTPServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RealPods]:
    if why_no_api():
        pytest.skip(why_no_api())
    secrets = {"webhook": {"url": f"http://{HOST}:{webhook.server_port}/secret"}}
    with RealPods(cluster, tmp_path_factory.mktemp("bucket"), {"segpipe": volume}, secrets) as opened:
        yield opened


@pytest.fixture(scope="module")
def watched(there: RealPods, volume: Path) -> tuple[int, str]:
    """Exit status and output of a watch, during which the API server was killed and started again."""
    api = there.api
    assert api is not None
    words = ["submit", volume / "tiny.yaml", "--host", api.address, "--watch"]
    overrides = [word for setting in SETTINGS for word in ("--set", setting)]
    process = subprocess.Popen(
        command(*words, *overrides), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=ENVIRONMENT
    )
    output: list[str] = []
    assert process.stdout is not None
    reader = threading.Thread(target=lambda: output.extend(process.stdout or ()), daemon=True)
    reader.start()
    try:
        _wait_for(f"{STEP} · running", output, process)
        _interrupt(api)
        assert process.poll() is None, "".join(output)
        process.wait(1200)
    finally:
        process.kill()
        reader.join()
    return process.returncode, "".join(output)


def _wait_for(text: str, output: list[str], process: subprocess.Popen[str], seconds: float = 400) -> None:
    deadline = time.monotonic() + seconds
    while text not in "".join(output):
        assert process.poll() is None and time.monotonic() < deadline, "".join(output)
        time.sleep(0.5)


def _interrupt(api: PipelinesApi) -> None:
    api.kill()
    time.sleep(OUTAGE)
    api.start()


def test_a_watch_goes_on_after_the_api_server_was_away(watched: tuple[int, str]) -> None:
    _, output = watched
    for line in ("✓ Capture run state", "✓ Ingest pairs", f"✓ {STEP}", "✗ Data gate"):
        assert line in output, output


def test_a_run_that_the_data_gate_stops_says_what_it_found(watched: tuple[int, str]) -> None:
    status, output = watched
    assert status == 1
    error = output.partition("error: the step 'Data gate' failed: the data gate stopped the run")[2]
    assert FOUND in error, output


def test_the_webhook_is_told_what_the_gate_found(watched: tuple[int, str], webhook: Any) -> None:
    del watched
    [message] = webhook.told
    assert "failed" in message["text"] and FOUND in json.dumps(message), message


def test_runs_tells_how_it_ended(watched: tuple[int, str], there: RealPods, volume: Path) -> None:
    del watched
    assert there.api is not None
    listed = segpipe("runs", volume / "tiny.yaml", "--host", there.api.address)
    assert listed.returncode == 0 and "failed" in listed.stdout, listed.stdout + listed.stderr
