from __future__ import annotations

import json

import pytest

from common.errors import UserError
from pipeline.kubeflow.workers.worker import INDEX_VARIABLE, await_names, run_worker, tf_config


def test_the_first_worker_is_the_chief_and_each_knows_its_place() -> None:
    told = json.loads(tf_config(["a:2222", "b:2222"], 1))
    assert told == {"cluster": {"worker": ["a:2222", "b:2222"]}, "task": {"type": "worker", "index": 1}}


def test_names_that_lead_somewhere_are_not_waited_for() -> None:
    await_names(["localhost:1", "127.0.0.1:2"], patience=0)


def test_a_worker_that_never_appears_is_named() -> None:
    with pytest.raises(UserError, match=r"worker 1 \(nobody\.invalid\) has not appeared"):
        await_names(["localhost:1", "nobody.invalid:2222"], patience=0.05, pause=0.01)


@pytest.mark.parametrize("index", ["", "-1", "one"])
def test_a_worker_runs_in_a_pod_of_an_indexed_job(monkeypatch: pytest.MonkeyPatch, index: str) -> None:
    monkeypatch.setenv(INDEX_VARIABLE, index)
    with pytest.raises(UserError, match="pod of an Indexed Job"):
        run_worker("nowhere.json")
