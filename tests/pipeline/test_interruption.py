"""A run that is killed goes on where it was."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from components.trainer.history import HISTORY_FILE, TrainingHistory
from tests.support.tiny import ENVIRONMENT, command, segpipe, write_use_case

SLOWLY = ["--set", "trainer.epochs=30", "--set", "trainer.model.width=16", "--set", "trainer.patience=30"]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write_use_case(tmp_path_factory.mktemp("tiny"))
    assert segpipe("schema", "infer", path).returncode == 0
    return path


@contextmanager
def started(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for_epoch(process: subprocess.Popen[str], epoch: int) -> None:
    assert process.stdout
    for line in process.stdout:
        if f"epoch {epoch}/30" in line:
            return
    pytest.fail(f"the run ended before epoch {epoch}")


@pytest.mark.slow
def test_ctrl_c_is_answered_with_one_line(config: Path) -> None:
    with started("run", config, *SLOWLY) as run:
        wait_for_epoch(run, 2)
        run.send_signal(signal.SIGINT)
        _, error = run.communicate(timeout=60)
        assert run.returncode == 130
        assert error.strip() == "interrupted; run the same command again to resume"


@pytest.mark.slow
def test_a_killed_training_ends_with_as_many_epochs_as_an_undisturbed_one(config: Path) -> None:
    with started("run", config, *SLOWLY) as run:
        wait_for_epoch(run, 6)
        time.sleep(0.2)  # Into the middle of an epoch.
        os.kill(run.pid, signal.SIGKILL)
    done = segpipe("run", config, *SLOWLY)
    assert done.returncode == 0, done.stderr
    resumed = re.search(r"resuming at epoch (\d+) of 30", done.stdout)
    assert resumed
    assert 5 <= int(resumed[1]) <= 8
    assert f"epoch {int(resumed[1]) - 2}/30" not in done.stdout
    history_file = max((config.parent / "run/artifacts/Trainer/model_run").glob(f"*/{HISTORY_FILE}"))
    history = TrainingHistory.model_validate_json(history_file.read_text())
    assert [epoch.epoch for epoch in history.epochs] == list(range(1, 31))
    assert not list((config.parent / "run" / "resume").iterdir())


@pytest.mark.slow
def test_two_runs_do_not_share_a_workspace(config: Path) -> None:
    with started("run", config, *SLOWLY, "--set", "seed=2") as run:
        wait_for_epoch(run, 1)
        done = segpipe("run", config)
        assert done.returncode == 1
        assert "another run holds the lock of" in done.stderr
