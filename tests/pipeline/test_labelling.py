"""The label loop on a trained model: wrong masks that were planted are found, and images are chosen for labelling."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.tiny import PAIRS, segpipe, write_data, write_use_case

pytestmark = pytest.mark.slow


def plant_wrong_masks(data: Path) -> set[str]:
    """Makes three masks wrong, a shifted one, one of the other class and an empty one; returns the images' names."""
    wrong = {"0-004": lambda mask: np.roll(mask, 14, axis=1), "0-021": lambda mask: mask * 0, "0-034": swapped}
    for name, change in wrong.items():
        path = data / "masks" / f"{name}.png"
        Image.fromarray(change(np.asarray(Image.open(path))).astype(np.uint8)).save(path)
    return set(wrong)


def swapped(mask_HW: np.ndarray) -> np.ndarray:
    return np.where(mask_HW == 0, 0, 3 - mask_HW)


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_wrong_masks_are_found_and_new_images_are_chosen(tmp_path: Path) -> None:
    config = write_use_case(tmp_path)
    wrong = plant_wrong_masks(tmp_path / "data")
    done = segpipe("run", config, "--set", "validation.skew=false")  # An empty mask is so rare that the gate finds it.
    assert done.returncode == 0, done.stdout + done.stderr

    table, sheet = tmp_path / "suspicious.jsonl", tmp_path / "suspicious.html"
    found = segpipe("suspicious", config, "--out", table, "--sheet", sheet, "--number", "5")
    assert found.returncode == 0, found.stdout + found.stderr
    rows = rows_of(table)
    assert {Path(row["id"]).stem for row in rows[:3]} == wrong, rows
    assert f"5 of {PAIRS} judged pairs are listed" in found.stdout
    assert "warning: the model was trained on the masks of the split train" in found.stdout
    assert sheet.read_text("utf-8").count("<figure>") == 5 * 4

    write_data(tmp_path / "new", pairs=12, seed=1)
    chosen, registry = tmp_path / "next.parquet", tmp_path / "run" / "registry"
    done = segpipe("select", registry, tmp_path / "new/images", "--out", chosen, "--number", "4", "--tasks", "cvat")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 of 12 judged images are chosen" in done.stdout
    assert chosen.exists() and (tmp_path / "next.cvat.xml").exists()
