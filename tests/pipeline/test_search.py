"""A run that searches before it trains: what was chosen reaches the model, and a kill does not begin it anew."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from components.trainer.history import HISTORY_FILE, TrainingHistory
from components.tuner.result import SEARCH_FILE, SearchResult
from tests.support.tiny import ENVIRONMENT, command, segpipe, write_use_case

SEARCH = [
    "--set",
    "tuner={learning_rate: [0.0001, 0.02], losses: [dice, cross_entropy], widths: [4, 8], augmentation: [0, 1], "
    "max_epochs: 2, factor: 2, max_trials: 3}",
    "--set",
    "trainer.epochs=6",
]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write_use_case(tmp_path_factory.mktemp("tiny"))
    assert segpipe("schema", "infer", path).returncode == 0
    return path


@pytest.fixture(scope="module")
def killed(config: Path) -> str:
    """What a run says that is killed when the search has ended its first trial."""
    said = ""
    with subprocess.Popen(
        command("run", config, *SEARCH), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=ENVIRONMENT
    ) as run:
        assert run.stdout
        for line in run.stdout:
            said += line
            if "trial 1 of 3" in line:
                break
        os.kill(run.pid, signal.SIGKILL)
    return said


@pytest.fixture(scope="module")
def first(config: Path, killed: str) -> str:
    assert "trial 1 of 3: IoU 0." in killed
    done = segpipe("run", config, *SEARCH)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def outputs(config: Path, pattern: str) -> str:
    """The newest file of a step."""
    files = list((config.parent / "run" / "artifacts").glob(pattern))
    return max(files, key=lambda file: file.stat().st_mtime).read_text()


@pytest.mark.slow
def test_a_killed_search_goes_on_after_the_trials_that_have_ended(first: str) -> None:
    assert "resuming the search after 1 of 3 trials" in first
    assert "trial 1 of 3" not in first
    assert re.search(
        r"^  trial 2 of 3: IoU 0\.\d+ \(best 0\.\d+\) after 1 epoch with learning_rate", first, re.MULTILINE
    )
    assert re.search(r"^✓ Search · ", first, re.MULTILINE)


@pytest.mark.slow
def test_what_was_chosen_is_what_is_trained(config: Path, first: str) -> None:
    search = SearchResult.model_validate_json(outputs(config, f"HyperbandTuner/tuner_results/*/{SEARCH_FILE}"))
    best = search.trials[search.best - 1]
    history = TrainingHistory.model_validate_json(outputs(config, f"Trainer/model_run/*/{HISTORY_FILE}"))
    assert history.searched == best.values
    assert set(best.values) == {"learning_rate", "loss", "width", "augmentation"}
    assert history.epochs[0].learning_rate == pytest.approx(best.values["learning_rate"], rel=0.2)
    assert len(history.epochs) == 6
    assert (history.parameters < 10_000) == (best.values["width"] == 4)
    assert f"chosen by the search: learning_rate {best.values['learning_rate']:.3g}, loss " in first
    assert not list((config.parent / "run" / "resume").iterdir())


@pytest.mark.slow
def test_the_report_says_what_was_chosen(config: Path, first: str) -> None:
    del first
    assert "Searched: learning rate" in outputs(config, "RunReport/report/*/report.html")


@pytest.mark.slow
def test_more_epochs_of_the_training_do_not_search_again(config: Path, first: str) -> None:
    del first
    said = segpipe("run", config, *SEARCH, "--set", "trainer.epochs=7").stdout
    assert re.search(r"^✓ Search · cached$", said, re.MULTILINE)
    assert "epoch 7/7" in said
