"""Scheduled retraining: a run begins with the weights that are served."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from components.trainer.history import HISTORY_FILE, TrainingHistory
from tests.support.tiny import segpipe, write_use_case

BLESSED = ["--set", "trainer.warm_start=blessed"]


def first_loss(root: Path) -> float:
    newest = max((root / "run/artifacts/Trainer/model_run").glob(f"*/{HISTORY_FILE}"), key=lambda f: f.stat().st_mtime)
    return TrainingHistory.model_validate_json(newest.read_text()).epochs[0].metrics["loss"]


@pytest.mark.slow
def test_a_run_begins_with_the_weights_that_are_served(tmp_path: Path) -> None:
    config = write_use_case(tmp_path)
    assert segpipe("schema", "infer", config).returncode == 0

    first = segpipe("run", config, *BLESSED)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "warm start: nothing is served yet, so training begins from scratch" in first.stdout
    assert "version 1 pushed and served" in first.stdout
    from_scratch = first_loss(tmp_path)

    second = segpipe("run", config, *BLESSED)
    assert second.returncode == 0, second.stdout + second.stderr
    assert re.search(r"warm start: \d+ weights from ", second.stdout)
    assert first_loss(tmp_path) < from_scratch / 2

    other = segpipe("run", config, *BLESSED, "--set", "trainer.model.width=4")
    assert other.returncode == 1
    assert re.search(r"^error: .*has a different architecture: it has down0_conv1/kernel", other.stderr)

    served = tmp_path / "run/registry"
    (exported,) = {path.parent.parent for path in served.rglob("variables/variables.index") if "/1/" in str(path)}
    named = segpipe("run", config, "--set", f"trainer.warm_start={exported}", "--set", "trainer.epochs=1")
    assert f"weights from {exported}" in named.stdout, named.stdout + named.stderr

    missing = segpipe("run", config, "--set", f"trainer.warm_start={tmp_path}")
    assert missing.returncode == 1
    assert "holds no exported model" in missing.stderr
    assert "✓" not in missing.stdout
