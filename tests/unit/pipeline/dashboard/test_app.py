"""The dashboard over HTTP: pages, and who may read and change."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from components.report.viewer import script_source
from registry.canary_policy import CanaryPolicy
from registry.serving_record import CanaryDecision
from registry.store import Registry
from tests.support.dashboard import HostedDashboard
from tests.support.made_up_workspace import EVIL, GATE, MadeUp

BASE = "/w/nuclei"
CHANGE = f"{BASE}/registry/change"
BACK = {"action": "rollback", "version": "1", "served": "2", "canary": ""}


@pytest.fixture(scope="module")
def pages(kept: MadeUp) -> Iterator[HostedDashboard]:
    """A dashboard that nobody changes anything with."""
    with HostedDashboard(kept.folder) as hosted:
        yield hosted


@pytest.fixture
def dashboard(made_up: MadeUp) -> Iterator[HostedDashboard]:
    with HostedDashboard(made_up.folder.parent) as hosted:
        yield hosted


def served(made_up: MadeUp) -> int | None:
    return Registry(str(made_up.folder / "registry")).served()


def test_the_start_page_of_one_workspace_is_its_own(pages: HostedDashboard) -> None:
    answer = pages.get("/")
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{BASE}/")


def test_a_workspace_says_whether_the_model_got_better_on_what_and_what_the_data_did(pages: HostedDashboard) -> None:
    text = pages.text(f"{BASE}/")
    for told in (
        "version 2",
        "0.800",
        "+0.100",
        "nothing is quarantined",
        "The newest run",
        "interrupted",
        'class="trend wide"',
    ):
        assert told.lower() in text.lower(), told


def test_runs_are_filtered_and_ordered_by_the_address(pages: HostedDashboard, kept: MadeUp) -> None:
    filtered = pages.text(f"{BASE}/?status=not+blessed")
    assert f"{BASE}/runs/{kept.worse}" in filtered.partition('id="run-list"')[2]
    assert f"{BASE}/runs/{kept.first}" not in filtered.partition('id="run-list"')[2]
    ordered = pages.text(f"{BASE}/?sort=iou&order=asc").partition('id="run-list"')[2]
    assert ordered.index(kept.first) < ordered.index(kept.worse) < ordered.index(kept.better)


@pytest.mark.parametrize(
    "query", ["page=0", "page=99999999999", "page=-1", "page=²", "sort=x", "status=x", "q=%00%ff", "metric=x"]
)
def test_a_senseless_address_is_taken_for_the_default(pages: HostedDashboard, query: str) -> None:
    pages.text(f"{BASE}/?{query}")


def test_a_run_shows_steps_results_log_and_commands(pages: HostedDashboard, kept: MadeUp) -> None:
    text = pages.text(f"{BASE}/runs/{kept.better}")
    figures = ("Compute statistics", "7 min 08 s", "1.8\u202fGB")
    for told in (*figures, "artifacts/Trainer/model/", "the last line", "40 images scored"):
        assert told in text, told
    assert "segpipe tensorboard &#39;a b.yaml&#39; --set seed=2" in text


def test_a_run_that_the_gate_stopped_says_why(pages: HostedDashboard, kept: MadeUp) -> None:
    text = pages.text(f"{BASE}/runs/{kept.stopped}")
    assert "stopped by the data gate" in text and GATE in text


def test_the_report_has_a_policy_and_an_origin_of_its_own(pages: HostedDashboard, kept: MadeUp) -> None:
    answer = pages.get(f"{BASE}/runs/{kept.better}/report")
    assert "<h1>nuclei</h1>" in answer.text
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox") and "allow-same-origin" not in policy
    assert f"script-src {script_source()};" in policy and "default-src 'none'" in policy


def test_the_card_and_the_log_are_shown(pages: HostedDashboard, kept: MadeUp) -> None:
    assert "version 2" in pages.text(f"{BASE}/registry/2/card")
    log = pages.get(f"{BASE}/runs/{kept.better}/log")
    assert log.headers["Content-Type"].startswith("text/plain") and "the last line" in log.text


@pytest.mark.parametrize(
    "path",
    [
        *(f"{BASE}/runs/{run}" for run in ("1", "..%2f..", "20261120-030000-999999")),
        *(f"{BASE}/registry/9/card", "/w/other/", "/static/..%2fapp.py", "/static/app.py", "/nothing"),
        "/w/nuclei/runs/../../../../etc/passwd",
    ],
)
def test_what_is_not_there_is_a_page(pages: HostedDashboard, path: str) -> None:
    answer = pages.get(path)
    assert answer.status_code == 404 and "<h1>" in answer.text


def test_every_page_escapes_names_and_has_a_strict_policy(pages: HostedDashboard, kept: MadeUp) -> None:
    run = f"{BASE}/runs/{kept.better}"
    for path in (f"{BASE}/", f"{BASE}/?q={EVIL}", run, f"{run}/quarantine", f"{BASE}/registry?metric={EVIL}"):
        answer = pages.get(path)
        assert EVIL not in answer.text, path
        assert "<style" not in answer.text and " style=" not in answer.text and " onclick" not in answer.text
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'") and "unsafe" not in policy
    assert "&lt;script&gt;" in pages.text(run)


def test_the_quarantine_shows_pictures_of_what_it_names_alone(pages: HostedDashboard, kept: MadeUp) -> None:
    page = f"{BASE}/runs/{kept.better}/quarantine"
    assert (
        "unknown label" in pages.text(page)
        and "unreadable" not in pages.text(f"{page}?reason=unknown_label").partition('class="gallery"')[2]
    )
    assert pages.get(f"{page}/0/image").headers["Content-Type"] == "image/png"
    assert pages.get(f"{page}/0/mask").headers["Content-Type"] == "image/png"
    for nothing in ("1/image", "2/image", "7/image"):
        assert pages.get(f"{page}/{nothing}").headers["Content-Type"].startswith("image/svg+xml")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "10.0.0.1", "[", ""])
def test_another_host_name_is_refused(pages: HostedDashboard, host: str) -> None:
    assert pages.get(f"{BASE}/", Host=host).status_code in (400, 403)


def test_a_forwarded_port_is_this_machine(pages: HostedDashboard) -> None:
    assert pages.get(f"{BASE}/", Host="localhost:1234").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
    ],
)
def test_another_origin_is_refused(pages: HostedDashboard, headers: dict[str, str]) -> None:
    assert pages.get(f"{BASE}/", **headers).status_code == 403


def test_a_link_from_elsewhere_may_be_followed(pages: HostedDashboard) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert pages.get(f"{BASE}/", **headers).status_code == 200


def test_a_rollback_is_asked_and_then_done_with_the_token(dashboard: HostedDashboard, made_up: MadeUp) -> None:
    assert "instead of version 2" in dashboard.text(f"{BASE}/registry/confirm?action=rollback&version=1&served=2")
    done = dashboard.post(CHANGE, BACK | {"token": dashboard.access.token}, Origin=dashboard.url)
    assert "Version 1 is served now, instead of 2" in done.text
    assert served(made_up) == 1


def test_a_canary_is_started_and_promoted(dashboard: HostedDashboard, made_up: MadeUp) -> None:
    token = {"X-Segpipe-Token": dashboard.access.token}
    canary = {"action": "canary", "version": "1", "percent": "25", "served": "2", "canary": ""}
    assert "canary 25 %" in dashboard.post(CHANGE, canary, **token).text
    first_page = dashboard.text(f"{BASE}/")
    assert "canary</span> for 25 % of the requests" in first_page
    assert '<span class="chip warn">canary 25 %</span>' in first_page, "in the list of runs"
    promoted = {"action": "promote", "version": "1", "served": "2", "canary": "1"}
    assert dashboard.post(CHANGE, promoted, **token).status_code == 200
    assert served(made_up) == 1


def test_an_automatic_canary_and_the_reason_of_the_last_decision_are_shown(
    dashboard: HostedDashboard, made_up: MadeUp
) -> None:
    registry = Registry(str(made_up.folder / "registry"))
    assert registry.start_canary_beside(2, 1, CanaryPolicy(images=300))
    assert "after 300 compared images, or 1440 minutes" in dashboard.text(f"{BASE}/registry")
    canary = registry.canary()
    assert canary
    decision = CanaryDecision(
        version=1,
        stable=2,
        outcome="rolled_back",
        reason="worse on 50 images",
        images=50,
        began=canary.since,
        decided=canary.since,
    )
    assert registry.decide_canary(decision)
    text = dashboard.text(f"{BASE}/registry")
    assert "version 1 was rolled back automatically: worse on 50 images" in text
    assert "compared images" not in text


@pytest.mark.parametrize("token", ["", "x", "ä" * 32])
def test_without_the_token_nothing_changes(dashboard: HostedDashboard, made_up: MadeUp, token: str) -> None:
    assert dashboard.post(CHANGE, BACK | {"token": token}).status_code == 403
    assert served(made_up) == 2


def test_the_token_does_not_help_another_origin(dashboard: HostedDashboard, made_up: MadeUp) -> None:
    form = BACK | {"token": dashboard.access.token}
    assert dashboard.post(CHANGE, form, Origin="http://evil.example").status_code == 403
    assert (
        dashboard.get(f"{CHANGE}?version=1&action=rollback&served=2&token={dashboard.access.token}").status_code == 405
    )
    assert served(made_up) == 2


def test_a_change_that_was_proposed_for_another_state_is_refused(dashboard: HostedDashboard, made_up: MadeUp) -> None:
    form = BACK | {"served": "1", "token": dashboard.access.token}
    answer = dashboard.post(CHANGE, form)
    assert answer.status_code == 409 and "the registry has changed" in answer.text
    assert served(made_up) == 2


@pytest.mark.parametrize("changed", [{"version": "x"}, {"version": "9"}, {"action": "delete"}, {"percent": "x"}])
def test_a_senseless_change_is_refused(dashboard: HostedDashboard, made_up: MadeUp, changed: dict[str, str]) -> None:
    answer = dashboard.post(CHANGE, BACK | {"token": dashboard.access.token} | changed)
    assert answer.status_code in (400, 409)
    assert served(made_up) == 2


def test_reading_from_other_machines_needs_the_token(made_up: MadeUp) -> None:
    with HostedDashboard(made_up.folder, host="0.0.0.0") as hosted, httpx.Client(base_url=hosted.url) as client:
        refused = client.get(f"{BASE}/?q=a")
        assert (refused.status_code, refused.headers["Location"]) == (302, "/token?to=/w/nuclei/?q%3Da")
        wrong = client.post("/token", data={"token": "x", "to": "/"})
        assert wrong.status_code == 403 and not client.cookies
        right = client.post("/token", data={"token": hosted.access.token, "to": "//evil.example"})
        assert (right.status_code, right.headers["Location"]) == (303, "/")
        assert hosted.access.token not in right.headers["Set-Cookie"] and "HttpOnly" in right.headers["Set-Cookie"]
        assert client.get(f"{BASE}/").status_code == 200
        [cookie] = client.cookies.values()
        assert client.post(CHANGE, data=BACK | {"token": cookie}).status_code == 403


def test_no_module_imports_tensorflow(kept: MadeUp) -> None:
    script = (
        "import sys; from pathlib import Path; from pipeline.dashboard import app, server, pages;"
        "from pipeline.dashboard.sources import Sources; from pipeline.dashboard.workspaces import Workspaces;"
        f"[one] = Sources(Workspaces([Path({str(kept.folder)!r})])).snapshots();"
        "pages.run(one, one.runs[0]);"
        "print([name for name in sys.modules if name.split('.')[0] in ('tensorflow', 'tfx', 'apache_beam')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=Path.cwd())
    assert done.stdout.strip() == "[]"
