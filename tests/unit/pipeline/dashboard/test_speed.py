"""A workspace of many runs answers fast."""

from __future__ import annotations

import datetime
import shutil
import sqlite3
import time
from pathlib import Path

import pytest

from pipeline.dashboard import pages
from pipeline.dashboard.listing import Listing
from pipeline.dashboard.sources import Sources
from pipeline.dashboard.workspaces import Workspaces
from tests.support.made_up_runs import Figures, MadeUpWorkspace
from tests.support.made_up_workspace import BEGAN, DAY, ended

RUNS = 500


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """500 runs: few made-up ones, and copies of their rows, files and journals."""
    made = MadeUpWorkspace(tmp_path / "many")
    for n in range(5):
        made.add_run(BEGAN + DAY * n, Figures(0.6 + n / 20), journal=ended(BEGAN + DAY * n))
    with sqlite3.connect(made.folder / "metadata.sqlite") as database:
        multiply(database, made, RUNS // 5)
    database.close()
    return made.folder


def multiply(database: sqlite3.Connection, made: MadeUpWorkspace, times: int) -> None:
    """Repeats the rows of all runs with other ids, in ML Metadata's own tables."""
    tables = {
        "Context": ("id",),
        "Execution": ("id",),
        "Artifact": ("id",),
        "Event": ("id", "artifact_id", "execution_id"),
    }
    tables |= {"Association": ("id", "context_id", "execution_id"), "EventPath": ("event_id",)}
    for table, ids in tables.items():
        columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
        rows = database.execute(f"SELECT * FROM {table}").fetchall()
        for n in range(1, times):
            changed = [dict(zip(columns, row, strict=True)) for row in rows]
            for row in changed:
                row.update({name: row[name] + 1000 * n for name in ids})
                if table == "Context":
                    began = datetime.datetime.fromisoformat(row["name"]) + 7 * DAY * n
                    row["name"] = began.isoformat()
                    made.write_journal(began, **ended(began))
                if table == "Artifact":
                    step, key, number = row["uri"].rsplit("/", 3)[1:]
                    row["uri"] = f"/elsewhere/artifacts/{step}/{key}/{int(number) + 1000 * n}"
                    copy_artifact(made.folder / "artifacts" / step / key, number, int(number) + 1000 * n)
            marks = ", ".join("?" * len(columns))
            database.executemany(f"INSERT INTO {table} VALUES ({marks})", [tuple(row.values()) for row in changed])


def copy_artifact(folder: Path, number: str, copy: int) -> None:
    if (folder / number).is_dir():
        shutil.copytree(folder / number, folder / str(copy))


@pytest.mark.slow
def test_five_hundred_runs_answer_in_less_than_a_second(many: Path) -> None:
    """Measured is the time of the processor, because other processes may be busy."""
    sources = Sources(Workspaces([many]))
    began = time.process_time()
    [first] = sources.snapshots()
    cold = time.process_time() - began
    assert len(first.runs) == RUNS and not first.faults
    assert all(run.results.evaluation for run in first.runs)
    began = time.process_time()
    [again] = sources.snapshots()
    text = pages.workspace(again, Listing(), "mean_iou")
    warm = time.process_time() - began
    assert f"Page 1 of {RUNS // 50}" in text
    print(f"{RUNS} runs: {cold:.2f} s when first read, {warm:.2f} s afterwards")
    assert cold < 2.5 and warm < 0.5
