"""Runs, as they are put together from ML Metadata, journals and results."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

import pytest

from components.data_gate.result import GATE_FILE
from components.evaluator.results import RESULTS_FILE
from pipeline.dashboard.executions import State
from pipeline.dashboard.result_files import ResultFiles
from pipeline.dashboard.rows import run_rows
from pipeline.dashboard.runs import Run, RunReader, Status
from pipeline.dashboard.workspaces import Workspace
from tests.support.made_up_runs import PLAN
from tests.support.made_up_workspace import BEGAN, DAY, MadeUp


def read(folder: Path) -> dict[str, Run]:
    runs, faults = RunReader(Workspace("nuclei", folder), ResultFiles()).runs()
    assert faults == []
    assert [run.key for run in runs] == sorted((run.key for run in runs), reverse=True)
    return {run.key: run for run in runs}


def test_each_run_has_the_status_in_which_it_ended(kept: MadeUp) -> None:
    assert {key: run.status for key, run in read(kept.folder).items()} == {
        kept.first: Status.BLESSED,
        kept.better: Status.BLESSED,
        kept.worse: Status.NOT_BLESSED,
        kept.stopped: Status.STOPPED,
        kept.killed: Status.INTERRUPTED,
    }


def test_steps_follow_the_pipeline_with_states_and_what_they_wait_for(kept: MadeUp) -> None:
    runs = read(kept.folder)
    steps = {step.component: step for step in runs[kept.better].steps}
    assert tuple(steps) == PLAN
    assert steps["SchemaImporter"].state is State.CACHED
    assert steps["Trainer"].state is State.DONE
    assert steps["Trainer"].after == ("Transform",)
    stopped = {step.component: step.state for step in runs[kept.stopped].steps}
    assert (stopped["StatisticsGen"], stopped["DataGate"], stopped["Transform"]) == (
        State.DONE,
        State.FAILED,
        State.LEFT_OUT,
    )
    assert runs[kept.killed].steps[6].state is State.INTERRUPTED


def test_the_gate_of_a_run_that_it_stopped_is_read_although_it_is_not_recorded(kept: MadeUp) -> None:
    gate = read(kept.folder)[kept.stopped].results.gate
    assert gate is not None and not gate.passed


def test_a_run_goes_while_the_workspace_is_locked(made_up: MadeUp) -> None:
    with (made_up.folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        running = read(made_up.folder)[made_up.killed]
        assert running.status is Status.RUNNING
        assert running.ended is None
        assert [step.state for step in running.steps[5:8]] == [State.DONE, State.RUNNING, State.WAITING]
        assert read(made_up.folder)[made_up.stopped].status is Status.STOPPED
    assert read(made_up.folder)[made_up.killed].status is Status.INTERRUPTED


def test_runs_without_journals_are_known_by_their_executions(made_up: MadeUp) -> None:
    shutil.rmtree(made_up.folder / "runs")
    runs = read(made_up.folder)
    assert runs[made_up.better].status is Status.BLESSED
    assert [step.component for step in runs[made_up.stopped].steps] == list(PLAN[:5])
    after = {step.component: step.after for step in runs[made_up.better].steps}
    assert after["Transform"] == ("DataGate", "ImageMaskExampleGen", "SchemaImporter")
    assert abs(runs[made_up.better].seconds(runs[made_up.better].began) - 540) < 30


def test_a_moved_workspace_has_its_results(made_up: MadeUp, tmp_path: Path) -> None:
    moved = made_up.folder.rename(tmp_path / "moved")
    evaluation = read(moved)[made_up.better].results.evaluation
    assert evaluation is not None and evaluation.candidate.overall.mean_iou.value == 0.8


def test_a_damaged_result_is_named_and_breaks_nothing(made_up: MadeUp) -> None:
    [path] = [
        p for p in made_up.folder.glob(f"artifacts/SegmentationEvaluator/*/*/{RESULTS_FILE}") if "0.75" in p.read_text()
    ]
    path.write_text(path.read_text()[:100])
    run = read(made_up.folder)[made_up.worse]
    assert run.status is Status.UNREADABLE
    assert len(run.faults) == 1 and str(path) in run.faults[0]


def test_a_damaged_journal_is_a_run_that_cannot_be_read(made_up: MadeUp) -> None:
    (made_up.folder / "runs" / "20261201-030000-000001.json").write_text('{"name": "half')
    (made_up.folder / "runs" / "notes.json").write_text("not a run")
    runs = read(made_up.folder)
    assert runs["20261201-030000-000001"].status is Status.UNREADABLE
    assert len(runs) == 6


def test_a_run_that_failed_before_its_first_step_is_listed(made_up: MadeUp) -> None:
    text = (made_up.folder / "runs" / f"{made_up.stopped}.json").read_text()
    (made_up.folder / "runs" / "20261201-030000-000001.json").write_text(text)
    run = read(made_up.folder)["20261201-030000-000001"]
    assert run.status is Status.FAILED
    assert run.sentence and run.sentence.startswith("the data gate stopped")


def test_a_run_that_had_nothing_to_do_says_so(made_up: MadeUp) -> None:
    text = (made_up.folder / "runs" / f"{made_up.first}.json").read_text()
    unchanged = text.replace(
        '"outcome":"succeeded","sentence":null', '"outcome":"unchanged","sentence":"version 2 is it"'
    )
    (made_up.folder / "runs" / "20261201-030000-000001.json").write_text(unchanged)
    run = read(made_up.folder)["20261201-030000-000001"]
    assert (run.status, run.sentence) == (Status.UNCHANGED, "version 2 is it")


@pytest.mark.parametrize("content", [b"", b"no database" * 100])
def test_a_database_that_cannot_be_read_is_reported(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "metadata.sqlite").write_bytes(content)
    runs, faults = RunReader(Workspace("broken", tmp_path), ResultFiles()).runs()
    assert runs == []
    assert len(faults) == 1 and "CREATE TABLE" not in faults[0]


def test_an_interrupted_run_lasted_until_its_last_line(made_up: MadeUp) -> None:
    log = made_up.folder / "logs" / f"run-{made_up.killed[:15]}.log"
    log.write_text("a line\n")
    began = read(made_up.folder)[made_up.killed].began
    os.utime(log, (began.timestamp() + 3000, began.timestamp() + 3000))
    run = read(made_up.folder)[made_up.killed]
    assert run.seconds(run.began) == pytest.approx(3000)
    assert [step.seconds(run.began) for step in run.steps[6:8]] == [None, None]


def test_no_link_leads_out_of_the_workspace(made_up: MadeUp, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    [gate] = [
        p.parent
        for p in made_up.folder.glob(f"artifacts/DataGate/gate/*/{GATE_FILE}")
        if '"passed":false' in p.read_text()
    ]
    gate.rename(secret / "gate")
    gate.symlink_to(secret / "gate")
    assert read(made_up.folder)[made_up.stopped].results.gate is None


def test_rows_compare_with_the_run_before_and_the_served_version(kept: MadeUp) -> None:
    runs = list(read(kept.folder).values())
    rows = {row.run.key: row for row in run_rows(runs, None, BEGAN.astimezone() + DAY)}
    better, worse = rows[kept.better], rows[kept.worse]
    assert better.change == pytest.approx(0.1) and better.baseline == 1
    assert worse.change == pytest.approx(-0.05)
    assert (better.pairs, better.pairs_change, better.quarantined) == (112, 12, 3)
    assert (better.version, better.is_new_version) == (2, True)
    assert worse.version is None


def test_what_has_not_changed_is_not_read_again(made_up: MadeUp, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = RunReader(Workspace("nuclei", made_up.folder), ResultFiles())
    before, _ = reader.runs()

    def fail(*_: object) -> None:
        raise AssertionError("it was read again")

    monkeypatch.setattr("pipeline.dashboard.executions.open_metadata", fail)
    monkeypatch.setattr("pipeline.dashboard.result_files._parse", fail)
    after, _ = reader.runs()
    assert all(one is other for one, other in zip(before, after, strict=True))
