"""A run that drift starts: one, and where it belongs."""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from common.errors import UserError
from pipeline.config.run_config import load_config
from pipeline.monitor.retraining import WITHOUT_DRIFT_CHECK, Trigger, retrain
from tests.support import kfp_api
from tests.support.registries import registry_of_one

CONFIG = Path("pipeline/configs/sample.yaml")


class Started(list[list[str]]):
    """Stands in for `subprocess.Popen`: the outermost call, which would train for minutes."""

    def __call__(self, command: list[str], **options: Any) -> None:
        assert options["start_new_session"] is True, "the run outlives the monitor"
        self.append(command)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    found = Started()
    monkeypatch.setattr(subprocess, "Popen", found)
    return found


def test_drift_that_lasts_starts_one_run_on_this_machine(tmp_path: Path, started: Started) -> None:
    registry = registry_of_one(tmp_path, "sample")
    trigger = Trigger(CONFIG, (f"workspace={tmp_path}/runs", "trainer.epochs=1"))
    done = [retrain(registry, trigger, 1, "drifted: brightness") for _ in range(5)]
    assert done[0].startswith(f"a run is started: on this machine, its output is in {tmp_path}/runs/logs/retraining-")
    assert all(each.startswith("no run is started: one was requested at 20") for each in done[1:])
    (command,) = started
    assert command[:5] == [sys.executable, "-m", "pipeline.cli.main", "run", str(CONFIG)]
    overrides = [WITHOUT_DRIFT_CHECK, f"workspace={tmp_path}/runs", "trainer.epochs=1"]
    assert command[5:] == [word for each in overrides for word in ("--set", each)]
    latest = registry.latest_retraining()
    assert latest is not None
    assert (latest.version, latest.reason) == (1, "drifted: brightness")
    assert latest.run is not None


def test_the_data_gate_does_not_measure_the_drift_that_the_run_is_for_unless_it_is_told_to() -> None:
    assert not load_config(CONFIG, Trigger(CONFIG).run_overrides).validation.drift
    assert load_config(CONFIG, Trigger(CONFIG, ("validation.drift=true",)).run_overrides).validation.drift


def test_after_the_least_time_the_next_run_may_start(tmp_path: Path, started: Started) -> None:
    registry = registry_of_one(tmp_path, "sample")
    trigger = Trigger(CONFIG, (f"workspace={tmp_path}/runs",), least_hours=0)
    for _ in range(2):
        retrain(registry, trigger, 1, "drifted")
    assert len(started) == 2


@pytest.mark.slow
def test_on_kubeflow_the_pipeline_is_submitted(tmp_path: Path) -> None:
    registry = registry_of_one(tmp_path, "sample")
    with kfp_api.serving() as api:
        trigger = Trigger(CONFIG, ("kubeflow.image=segpipe:1",), host=api.url)
        done = retrain(registry, trigger, 1, "drifted")
        assert done.startswith(f"a run is started: {api.url}/#/runs/details/")
        assert retrain(registry, trigger, 1, "drifted").startswith("no run is started")
        newest = trigger.newest_run()
    assert newest is not None
    assert newest[1] is False


def test_a_run_that_cannot_be_started_is_told_and_tried_again(tmp_path: Path) -> None:
    registry = registry_of_one(tmp_path, "sample")
    trigger = Trigger(CONFIG, (), host="http://127.0.0.1:9")
    for _ in range(2):
        assert retrain(registry, trigger, 1, "drifted").startswith("a run could not be started: ")
    latest = registry.latest_retraining()
    assert latest is not None
    assert latest.number == 2
    assert latest.error


def test_a_registry_that_cannot_be_written_starts_nothing(tmp_path: Path, started: Started) -> None:
    registry = registry_of_one(tmp_path, "sample")
    (tmp_path / "registry" / "retraining").touch()  # In place of the folder.
    done = retrain(registry, Trigger(CONFIG, (f"workspace={tmp_path}/runs",)), 1, "drifted")
    assert done.startswith("no run is started, because the request cannot be recorded in the registry: cannot")
    assert started == []


def test_the_configuration_must_be_that_of_the_registrys_model(tmp_path: Path) -> None:
    registry = registry_of_one(tmp_path, "other")
    with pytest.raises(UserError, match=r"is the pipeline of 'sample', but the registry .* is that of 'other'"):
        Trigger(CONFIG).check(registry)


def test_the_newest_run_of_this_machine_is_known_by_its_journal(tmp_path: Path) -> None:
    trigger = Trigger(CONFIG, (f"workspace={tmp_path}",))
    assert trigger.newest_run() is None
    (tmp_path / "runs").mkdir()
    for day, outcome in ((26, "succeeded"), (27, "failed")):
        began = datetime.datetime(2026, 11, day, tzinfo=datetime.timezone.utc)
        journal = {"name": "sample", "began": began.isoformat(), "outcome": outcome}
        (tmp_path / "runs" / f"202611{day}-000000-000000.json").write_text(json.dumps(journal))
    assert trigger.newest_run() == (datetime.datetime(2026, 11, 27, tzinfo=datetime.timezone.utc), True)
