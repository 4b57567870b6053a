"""`segpipe plan` reads the data, writes a patch, and `segpipe check` takes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from common.errors import UserError
from pipeline.cli.check import check_data
from pipeline.cli.plan import write_plan
from pipeline.config.run_config import load_config

SIDE = 700
"""Resizing shrinks an image of this size, so that objects of 9 pixels have less than 8."""


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A configuration over images of two kinds, with small objects."""
    rows = ["image,mask,split,kind"]
    (tmp_path / "data").mkdir()
    for index in range(15):
        noise_HW3 = np.random.default_rng(index).integers(0, 90, (SIDE, SIDE, 3), np.uint8)
        mask_HW = np.zeros((SIDE, SIDE), np.uint8)
        mask_HW[50 : 50 + 9, 60 + index : 60 + index + 9] = 1
        Image.fromarray(noise_HW3 + 100 * mask_HW[..., None]).save(tmp_path / f"data/{index}.png")
        Image.fromarray(mask_HW).save(tmp_path / f"data/{index}-mask.png")
        split = ("train", "train", "train", "eval", "test")[index % 5]
        rows.append(f"{index}.png,{index}-mask.png,{split},{'rare' if index < 5 else 'common'}")
    (tmp_path / "data/index.csv").write_text("\n".join(rows) + "\n")
    config: dict[str, Any] = {
        "name": "small",
        "workspace": str(tmp_path / "run"),
        "data": {
            "source": {"type": "manifest", "root": str(tmp_path / "data"), "split_column": "split"},
            "classes": ["background", "thing"],
        },
        "validation": {"schema": str(tmp_path / "schemas/small.pbtxt"), "skew": False},
        "trainer": {"model": {"type": "unet", "width": 8, "depth": 2}},
        "evaluator": {"slices": ["kind"]},
    }
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def test_the_patch_is_written_with_reasons_and_check_takes_it(written: Path, capfd: Any) -> None:
    out = written.parent / "plans/small.yaml"
    write_plan(load_config(written), written, out, gigabytes=1.0)
    assert f"{out} is written; check it with: segpipe check {written} --set @{out}" in capfd.readouterr().out
    plan = yaml.safe_load(out.read_text())
    assert plan["transform"]["mode"] == "crop"
    assert plan["trainer"]["windows"]["shares"] == {"kind": {"common": 0.59, "rare": 0.41}}
    assert "# the mean brightness of images varies by" in out.read_text()
    config = load_config(written, [f"@{out}"])
    assert config.transform.crops and config.trainer.inference.mode == "tile"
    check_data(config)


def test_without_training_pairs_there_is_nothing_to_plan_from(written: Path) -> None:
    index = written.parent / "data/index.csv"
    index.write_text(index.read_text().replace(",train,", ",test,"))
    out = written.parent / "plan.yaml"
    with pytest.raises(UserError, match="no pair is for training, and 0 are quarantined, so there is nothing to plan"):
        write_plan(load_config(written), written, out, gigabytes=1.0)
    assert not out.exists()
