"""What the last task learns of its run from the pipelines' API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from common.webhook import WEBHOOK_VARIABLE
from pipeline.kubeflow.client.outcome import Outcome, ask
from pipeline.kubeflow.pod.notify import main_from
from tests.support import kfp_api
from tests.support.kfp_api import KfpApi, Nodes

RUN = "r-1"
RUNNING = {"state": "RUNNING", "error": {}}


@pytest.fixture
def api() -> Iterator[KfpApi]:
    with kfp_api.serving() as server:
        yield server


def ran(api: KfpApi, nodes: Nodes, **specification: Any) -> None:
    """The run with these nodes is in its last task."""
    look = nodes.run("RUNNING")
    workflow = nodes.workflow(**specification)
    look.pop("workflow")
    api.runs[RUN] = {"run_id": RUN, "display_name": "nightly", "created_at": kfp_api.BEGAN, **look}
    api.scripts[RUN] = iter(())
    api.workflows[RUN] = workflow


def failed() -> Nodes:
    nodes = Nodes()
    for group in ("pipeline", "retrain"):
        nodes.set(f"{group}-driver", "SUCCEEDED", (group,))
        nodes.set(group, "FAILED", message="child 'sample-x7k2p-1' failed")
    nodes.set("data-gate-driver", "SUCCEEDED", ("data-gate",))
    nodes.set("data-gate", "FAILED", ("data-gate/executor",))
    nodes.set("data-gate/executor", "FAILED", message="main: Error (exit code 1)")
    nodes.set("notify-driver", "RUNNING")
    return nodes


def ask_at(api: KfpApi) -> Outcome | None:
    return ask(RUN, {"KFP_ENDPOINT": api.url}, sleep=lambda seconds: None)


@pytest.mark.parametrize(
    ("state", "outcome"),
    [("SUCCEEDED", Outcome("COMPLETE")), ("SKIPPED", Outcome("COMPLETE")), ("RUNNING", None)],
)
def test_the_group_s_node_says_how_the_run_went(api: KfpApi, state: str, outcome: Outcome | None) -> None:
    nodes = Nodes()
    nodes.set("pipeline-driver", "SUCCEEDED", ("pipeline",))
    nodes.set("pipeline", state)
    ran(api, nodes)
    assert ask_at(api) == outcome


def test_steps_that_failed_are_findings(api: KfpApi) -> None:
    ran(api, failed())
    api.logs[failed().pod("data-gate/executor")] = "error: 12 of 30 masks are empty\n"
    assert ask_at(api) == Outcome("FAILED", ("Data gate: 12 of 30 masks are empty",))


@pytest.mark.parametrize("specification", [{"activeDeadlineSeconds": 0}, {"shutdown": "Stop"}])
def test_a_run_that_was_terminated_is_told_as_one(api: KfpApi, specification: dict[str, Any]) -> None:
    ran(api, failed(), **specification)
    assert ask_at(api) == Outcome("CANCELED")


def test_a_late_report_is_waited_for(api: KfpApi) -> None:
    nodes = Nodes()
    ran(api, nodes)
    assert ask(RUN, {"KFP_ENDPOINT": api.url}, sleep=lambda seconds: ran(api, failed())) is not None


@pytest.mark.parametrize("environment", [{}, {"KFP_ENDPOINT": "http://127.0.0.1:9"}, {"KFP_ENDPOINT": "nowhere"}])
def test_where_nobody_answers_nothing_is_known(environment: dict[str, str]) -> None:
    assert ask(RUN, environment) is None


def test_a_run_that_is_not_there_is_not_known(api: KfpApi) -> None:
    assert ask_at(api) is None


def test_the_webhook_is_told_what_the_api_says(api: KfpApi, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr("pipeline.kubeflow.pod.notify.send", lambda url, message: sent.append(message["text"]))
    monkeypatch.setenv(WEBHOOK_VARIABLE, "http://chat")
    monkeypatch.setenv("KFP_ENDPOINT", api.url)
    ran(api, failed())
    main_from({"status": RUNNING, "run_id": RUN, "run_name": "nightly", "pipeline": "cells"})
    ran(api, failed(), activeDeadlineSeconds=0)
    main_from({"status": RUNNING, "run_id": RUN, "run_name": "nightly", "pipeline": "cells"})
    api.runs.clear()
    main_from({"status": RUNNING, "run_id": RUN, "run_name": "nightly", "pipeline": "cells"})
    assert sent == [
        "❌ cells: run nightly failed: Data gate: main: Error (exit code 1)",
        "⏹ cells: run nightly was terminated",
        "❔ cells: run nightly ended; the backend has not recorded how",
    ]
