"""Canaries that are decided automatically, on real servers under load: no request fails, whatever dies when."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli.main import cli
from registry.canary_policy import CanaryPolicy
from registry.store import Registry
from tests.support.serving import BIRTH, Served, export_tiny, picture, wait_until
from tests.support.webhook import Webhook

KILLER = ("-m", "tests.support.canary_killer")
QUICK = {"percent": 99, "images": 40, "least_images": 20, "minutes": 30}
STABLE, OTHER, EQUAL, FAILING, FAST = 1, 2, 3, 4, 5
PICTURE = picture(96, 96)
SMALL = [picture(64 + 8 * (number % 10), 64 + 8 * (number // 10)) for number in range(100)]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def versions(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Version 1 is served; 2 finds another class, 3 the same by other weights, 5 in less time.

    4 refuses all but the smallest images, of which one is its warm-up.
    """
    folder = tmp_path_factory.mktemp("versions")
    shutil.copytree(exported, folder / "registry")
    registry = Registry(str(folder / "registry"))
    kinds = ({}, {"max_pixels": 4100}, {"mode": "resize"})
    for number, kind in enumerate(kinds):
        export_tiny(1, str(folder / str(number)), **kind)  # type: ignore[arg-type]
        registry.push(str(folder / str(number)), **BIRTH)
    return folder / "registry"


@pytest.fixture
def registry(versions: Path, tmp_path: Path) -> Registry:
    shutil.copytree(versions, tmp_path / "registry")
    return Registry(str(tmp_path / "registry"))


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with Webhook() as server:
        yield server


class Load:
    """Clients that ask all the time, each in a thread of its own."""

    def __init__(self, server: Served, paths: Sequence[str] = ("", "", ""), pictures: Sequence[bytes] = SMALL) -> None:
        self._ends = threading.Event()
        self._server, self._pictures = server, pictures
        self.answered = 0
        self.failures: list[str] = []
        self._threads = [threading.Thread(target=self._ask, args=(path,)) for path in paths]

    def _ask(self, path: str) -> None:
        for encoded in itertools.cycle(self._pictures):
            if self._ends.is_set():
                return
            try:
                status, document = self._server.predict_json(encoded, path=path)
            except (OSError, urllib.error.URLError) as error:
                status, document = 0, {"error": str(error)}
            if status == 200:
                self.answered += 1
            elif not path:  # The label is gone once the canary is decided.
                self.failures.append(f"{status}: {document}")

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join()


def is_decided(registry: Registry) -> bool:
    return bool(registry.serving_record().decisions)


def wait_until_decided(registry: Registry, server: Served, seconds: float = 150) -> None:
    """Returns once the canary is decided; else tells what the server has seen."""
    end = time.monotonic() + seconds
    while not is_decided(registry):
        if time.monotonic() > end:
            page = server.get("/monitoring/prometheus/metrics")[1].decode().splitlines()
            seen = "\n".join(
                line for line in page if line.startswith(("segpipe_canary", ":tensorflow:serving:request_c"))
            )
            raise AssertionError(f"not decided in {seconds} s\n{seen}\n{server.log}")
        time.sleep(0.1)


def start_canary(registry: Registry, version: int, stable: int = STABLE, **settings: object) -> None:
    policy = CanaryPolicy.model_validate({**QUICK, **settings})
    assert registry.start_canary_beside(stable, version, policy)


@pytest.mark.parametrize("mode", ["shadow", "share"])
@pytest.mark.parametrize(
    ("canary", "stable", "outcome", "reason"),
    [
        (EQUAL, STABLE, "promoted", "not worse on 40 images: error rate 0.00%"),
        (OTHER, STABLE, "rolled_back", "agreement on 0.0% of the pixels"),
        (FAILING, STABLE, "rolled_back", ", served 0.00% (limit +1.00%)"),
        (EQUAL, FAST, "rolled_back", "median latency"),
    ],
)
def test_a_worse_canary_is_rolled_back_a_good_one_promoted_and_no_request_fails(
    registry: Registry, webhook: Webhook, mode: str, canary: int, stable: int, outcome: str, reason: str
) -> None:
    registry.serve(stable)
    # A machine that is busy makes both versions wait: a slow one is seen beside one client, not beside three, and the
    # canary's twice as long computation is then less than twice the latency.
    is_slower = stable == FAST
    load_of = {"pictures": [picture(320, 320)], "paths": [""]} if is_slower else {"pictures": SMALL}
    limits = {"limits": {"latency_ratio": 1.2}} if is_slower else {}
    with Served(registry.uri, "--webhook", webhook.url) as server, Load(server, **load_of) as load:
        wait_until(lambda: load.answered > 10, 120)
        start_canary(registry, canary, stable, mode=mode, **limits)
        wait_until_decided(registry, server)
        (decision,) = registry.serving_record().decisions
        assert (decision.outcome, decision.version) == (outcome, canary), decision.reason
        assert reason in decision.reason
        served = canary if outcome == "promoted" else stable
        assert registry.labels() == {"stable": served}
        wait_until(lambda: server.predict(PICTURE).model_spec.version.value == served)
        before = load.answered
        wait_until(lambda: load.answered > before + 10, 120)
        wait_until(lambda: len(webhook.bodies) == 1)
        page = server.get("/monitoring/prometheus/metrics")[1].decode()
    assert load.failures == []
    assert f'segpipe_canary_decisions_total{{outcome="{outcome}"}} 1.0' in page
    assert f"version {canary} was" in webhook.bodies[0]
    assert "Traceback" not in server.log
    if outcome == "rolled_back":
        assert registry.withdrawn() == (canary,)
        assert not registry.start_canary_beside(stable, canary, CanaryPolicy()), "no run tries it again"
        registry.start_canary(canary, 10)
        assert CliRunner().invoke(cli, ["rollout", "--registry", registry.uri, "promote"]).exit_code == 0


@pytest.mark.parametrize("point", ["comparing", "decided", "writing", "written", "switching", "telling", "told"])
def test_a_server_that_is_killed_at_a_step_serves_and_ends_the_work_after_its_restart(
    registry: Registry, webhook: Webhook, point: str
) -> None:
    start_canary(registry, OTHER)
    options = ("--webhook", webhook.url)
    with Served(registry.uri, *options, program=(*KILLER, point)) as server, Load(server):
        server.process.wait(240)
    assert server.process.returncode == -signal.SIGKILL
    assert registry.served() == STABLE
    assert [registry.verify(each.version).version for each in registry.versions()] == [1, 2, 3, 4, 5]
    is_written = point in ("written", "switching", "telling", "told")
    assert is_decided(registry) == is_written
    with Served(registry.uri, *options) as server, Load(server) as load:
        assert server.predict(PICTURE).model_spec.version.value == STABLE
        wait_until_decided(registry, server)
        wait_until(lambda: load.answered > 20, 120)
        if not is_written:
            wait_until(lambda: len(webhook.bodies) == 1)
    assert load.failures == []
    assert registry.labels() == {"stable": STABLE}
    (decision,) = registry.serving_record().decisions
    assert decision.outcome == "rolled_back"


@pytest.mark.parametrize(("canary", "outcome"), [(OTHER, "rolled_back"), (EQUAL, "promoted")])
def test_a_command_that_is_killed_at_each_step_fails_no_request_and_the_next_one_ends_the_work(
    registry: Registry, webhook: Webhook, tmp_path: Path, canary: int, outcome: str
) -> None:
    log = tmp_path / "requests"
    options = ("--no-decide-canaries", "--log", log, "--log-seconds", 1)
    arguments = ["rollout", "decide", "--registry", registry.uri, "--log", str(log), "--once"]
    with Served(registry.uri, *options) as server, Load(server, paths=("", "", "/labels/canary")) as load:
        start_canary(registry, canary, limits={"latency_ratio": 5})
        for point in ("observed", "decided", "writing"):
            end = _killed(point, arguments, webhook.url)
            assert end == -signal.SIGKILL, point
            assert registry.labels() == {"stable": STABLE, "canary": canary}, point
        assert _killed("written", arguments, webhook.url) == -signal.SIGKILL
        (decision,) = registry.serving_record().decisions
        assert (decision.outcome, decision.notified) == (outcome, False)
        done = CliRunner().invoke(cli, arguments)
        assert done.exit_code == 0, done.output
        served = canary if outcome == "promoted" else STABLE
        wait_until(lambda: server.predict(PICTURE).model_spec.version.value == served)
        before = load.answered
        wait_until(lambda: load.answered > before + 10, 120)
    assert load.failures == []
    assert registry.labels() == {"stable": served}


def _killed(point: str, arguments: Sequence[str], webhook: str) -> int:
    """Exit status of the command, which is repeated until the log has enough requests for it to come to the point."""
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, *KILLER, point, *arguments, "--webhook", webhook]
    for _ in range(60):
        end = subprocess.run(command, env=environment, check=False).returncode
        if end < 0:
            return end
        time.sleep(0.5)
    return 0
