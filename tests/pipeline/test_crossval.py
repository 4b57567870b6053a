"""`segpipe crossval` from the data to a served ensemble."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.cross_validator.result import CROSS_VALIDATION_FILE, CrossValidation
from registry.store import Registry
from tests.support.tiny import segpipe, write_use_case

pytestmark = pytest.mark.slow


def test_the_average_of_the_folds_models_is_judged_pushed_and_served(tmp_path: Path) -> None:
    config = write_use_case(tmp_path)
    folds = ["crossval", config, "--folds", "3", "--set", "trainer.epochs=6", "--set", "data.split.stratify=light"]
    done = segpipe(*folds)
    assert done.returncode == 0, done.stdout + done.stderr
    for step in ("Train fold 1", "Train fold 2", "Train fold 3", "Evaluate folds", "Average models"):
        assert re.search(rf"^✓ {step} · ", done.stdout, re.MULTILINE)
    assert "✓ Train ·" not in done.stdout
    assert "exported the average of 3 models" in done.stdout
    assert re.search(r"^mean_iou +0\.\d+ +0\.\d+ +0\.\d+ +0\.\d+ ± 0\.\d+ +0\.\d+ \(", done.stdout, re.MULTILINE)
    assert "slightly optimistic" in done.stdout
    assert "version 1 pushed and served" in done.stdout

    [file] = (tmp_path / "run" / "artifacts" / "CrossValidator").rglob(CROSS_VALIDATION_FILE)
    result = CrossValidation.model_validate_json(file.read_text())
    pictures = [fold.metrics.pictures for fold in result.folds]
    assert result.pooled.pictures == sum(pictures) and max(pictures) - min(pictures) <= 1
    assert [fold.history.eval_pictures for fold in result.folds] == pictures
    assert [fold.history.train_pictures for fold in result.folds] == [sum(pictures) - own for own in pictures]

    registry = Registry(str(tmp_path / "run" / "registry"))
    version = Path(registry.uri) / "versions" / "1"
    [members] = version.rglob("ensemble.json")
    assert json.loads(members.read_text()) == {"members": 3}

    picture, masks = tmp_path / "data" / "images" / "0-001.png", tmp_path / "masks"
    assert segpipe("predict", picture, "--registry", registry.uri, "--out", masks).returncode == 0
    mask_HW = np.asarray(Image.open(masks / "0-001.mask.png"))
    truth_HW = np.asarray(Image.open(tmp_path / "data" / "masks" / "0-001.png"))
    assert (mask_HW == truth_HW).mean() > 0.85

    table = tmp_path / "suspicious.jsonl"
    judged = segpipe("suspicious", config, "--out", table)
    assert judged.returncode == 0, judged.stdout + judged.stderr
    assert "no mask is judged by a model that was trained on it" in judged.stdout
    assert {json.loads(line)["seen"] for line in table.read_text().splitlines()} == {"out of fold", "not seen"}

    again = segpipe(*folds)
    assert len(re.findall(r"^✓ Train fold \d · cached$", again.stdout, re.MULTILINE)) == 3
    assert "identical to version 1" in again.stdout

    single = segpipe("run", config, "--set", f"trainer.warm_start={members.parents[1]}")
    assert single.returncode == 1
    assert "is an ensemble of 3 networks, from which a single one cannot start" in single.stderr
