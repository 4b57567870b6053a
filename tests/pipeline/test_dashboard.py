"""The dashboard as a person uses it: in headless Chromium, and beside a run that goes."""

from __future__ import annotations

import fcntl
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from registry.store import Registry
from tests.support.axe import AXE, violations
from tests.support.browser import CHROMIUM, Browser
from tests.support.dashboard import HostedDashboard
from tests.support.made_up_workspace import MadeUp, make_workspace
from tests.support.serving import wait_until
from tests.support.tiny import ENVIRONMENT, command, write_use_case

in_browser = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on the PATH")
pytestmark = pytest.mark.slow
STATE = re.compile(r'<li class="step (\w+)" id="step-(\w+)">')


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    opened = Browser()
    yield opened
    opened.close()


@pytest.fixture
def made_up(tmp_path: Path) -> MadeUp:
    return make_workspace(tmp_path / "runs" / "nuclei")


@pytest.fixture
def dashboard(made_up: MadeUp) -> Iterator[HostedDashboard]:
    with HostedDashboard(made_up.folder) as hosted:
        yield hosted


def pages(made_up: MadeUp) -> list[str]:
    base = "/w/nuclei"
    runs = [f"{base}/runs/{key}" for key in (made_up.better, made_up.stopped, made_up.killed)]
    confirm = f"{base}/registry/confirm?action=canary&version=1&served=2"
    return [f"{base}/", *runs, f"{runs[0]}/quarantine", f"{base}/registry", confirm, "/token", "/nothing"]


@in_browser
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)], ids=["desktop", "phone"])
def test_pages_fit_their_screen_and_axe_finds_nothing(
    browser: Browser, dashboard: HostedDashboard, made_up: MadeUp, width: int, height: int, dark: bool
) -> None:
    if AXE is None:
        pytest.skip("axe-core is not here: SEGPIPE_TEST_AXE names its axe.min.js")
    for path in pages(made_up):
        browser.open(dashboard.url + path, width, height, dark, touch=width < 500)
        assert browser.run("document.documentElement.scrollWidth") <= width, path
        assert [each for each in browser.complaints() if "404" not in each] == [], path
        assert violations(browser) == [], path


@in_browser
def test_the_address_with_the_token_allows_a_rollback(
    browser: Browser, dashboard: HostedDashboard, made_up: MadeUp
) -> None:
    browser.open(f"{dashboard.url}/w/nuclei/registry#token={dashboard.access.token}")
    assert browser.run("location.href") == f"{dashboard.url}/w/nuclei/registry"
    browser.run("[...document.querySelectorAll('a.button')].find(a => a.textContent.startsWith('Roll back')).click()")
    wait_until(lambda: browser.run("document.querySelector('input[name=token]')?.value") == dashboard.access.token)
    assert browser.text("h1") == "Change what is served?"
    browser.run("document.querySelector('button[type=submit]').click()")
    wait_until(lambda: browser.shows(".notice.good"))
    assert browser.text(".notice.good") == "Version 1 is served now, instead of 2."
    assert Registry(str(made_up.folder / "registry")).served() == 1
    assert browser.complaints() == []


@in_browser
def test_a_page_follows_its_run_without_being_loaded_again(
    browser: Browser, dashboard: HostedDashboard, made_up: MadeUp
) -> None:
    with (made_up.folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        browser.open(f"{dashboard.url}/w/nuclei/runs/{made_up.killed}")
        assert "running" in browser.text("h1 .badge")
        browser.run("window.isSame = true; document.querySelector('#details-Trainer').open = true")
    wait_until(lambda: "interrupted" in browser.text("h1 .badge"))
    assert browser.run("window.isSame && document.querySelector('#details-Trainer').open")
    assert "interrupted" in browser.text("#step-Trainer")
    assert browser.complaints() == []


@in_browser
def test_the_keyboard_reaches_the_content_first(browser: Browser, dashboard: HostedDashboard) -> None:
    browser.open(f"{dashboard.url}/w/nuclei/")
    browser.press("Tab")
    assert browser.run("document.activeElement.textContent") == "Skip to the content"
    assert browser.run("document.activeElement.getBoundingClientRect().top") >= 0
    assert browser.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"


@in_browser
def test_the_report_is_shown_and_cannot_reach_the_dashboard(
    browser: Browser, dashboard: HostedDashboard, made_up: MadeUp
) -> None:
    [report] = list(made_up.folder.glob("artifacts/RunReport/report/*/report.html"))[:1]
    report.write_text(
        "<!doctype html><title>r</title><style>h1 {color: red}</style><h1>R</h1><script>document.title = 'bad'</script>"
    )
    key = next(key for key in (made_up.first, made_up.better, made_up.worse) if _reads(dashboard, key))
    browser.open(f"{dashboard.url}/w/nuclei/runs/{key}/report")
    assert browser.text("h1") == "R"
    assert browser.run("document.title") == "r"
    assert browser.run("self.origin") == "null"


def _reads(dashboard: HostedDashboard, key: str) -> bool:
    return "<h1>R</h1>" in dashboard.text(f"/w/nuclei/runs/{key}/report")


def test_a_run_is_watched_while_it_goes(tmp_path: Path) -> None:
    config = write_use_case(tmp_path)
    seen: list[dict[str, str]] = []
    output = tmp_path / "output.txt"
    with HostedDashboard(config) as hosted, output.open("w") as file:
        run = subprocess.Popen(command("run", config), stdout=file, stderr=subprocess.STDOUT, env=ENVIRONMENT)
        try:
            while run.poll() is None:
                if states := states_of_newest_run(hosted):
                    seen.append(states)
                time.sleep(0.3)
        finally:
            run.kill()
        assert run.returncode == 0, output.read_text()
        end = states_of_newest_run(hosted)
        text = hosted.text("/w/run/")
    assert end and set(end.values()) == {"done"}
    trainer = [states.get("Trainer") for states in seen]
    assert "waiting" in trainer and "running" in trainer and "done" in trainer
    assert any(states["DataGate"] == "done" and states["RunReport"] == "waiting" for states in seen)
    assert "blessed" in text and "version 1" in text


def states_of_newest_run(hosted: HostedDashboard) -> dict[str, str]:
    """Step → state, as the page of the newest run shows them; none before there is a run."""
    found = re.search(r"/w/run/runs/([0-9-]+)", hosted.text("/w/run/"))
    if found is None:
        return {}
    return {step: state for state, step in STATE.findall(hosted.text(f"/w/run/runs/{found[1]}"))}


def test_the_command_serves_until_it_is_stopped(made_up: MadeUp) -> None:
    arguments = [sys.executable, "-m", "pipeline.cli.main", "dashboard", str(made_up.folder), "--port", "0"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split()[-1]
        told = process.stdout.readline()
        try:
            assert "nuclei" in httpx.get(f"{address}w/nuclei/", timeout=60).text
            assert f"{address}#token=" in told
        finally:
            process.send_signal(signal.SIGINT)
    assert process.returncode == 0
