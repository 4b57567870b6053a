"""A use case that trains in seconds: bright squares and discs on noise."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.cli.main import cli

CONFIG = """
name: tiny
workspace: '{root}/run'
data:
  source: {{type: manifest, root: '{root}/data', slice_columns: [light]}}
  classes: [background, square, disc]
  split: {{train: 0.6, eval: 0.2, test: 0.2}}
validation: {{schema: '{root}/tiny.pbtxt'}}
transform: {{height: 32, width: 32}}
trainer:
  model: {{type: unet, width: 8, depth: 2}}
  batch_size: 8
  epochs: 12
  learning_rate: 0.01
evaluator:
  slices: [light]
  thresholds:
    - {{metric: mean_iou, at_least: 0.5, may_drop: 0.02}}
    - {{metric: iou/square, at_least: 0.3, slice: light}}
"""
UNTRAINED = {"model": {"type": "unet"}}
"""A trainer whose model needs no weights of ImageNet, as the default model does: they may have to be downloaded."""
PAIRS = 60
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path.cwd()), "COLUMNS": "160"}


def write_data(directory: Path, pairs: int = PAIRS, seed: int = 0) -> None:
    """Pictures of 40×48 with a green square or a blue disc, in bright or dim light."""
    random = np.random.default_rng(seed)
    rows = ["image,mask,light"]
    for name in ("images", "masks"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    for index in range(pairs):
        light = ("dim", "bright")[index % 2]
        image_HWC = random.integers(0, 60, [40, 48, 3]).astype(np.uint8)
        mask_HW = np.zeros([40, 48], np.uint8)
        y, x = np.mgrid[:40, :48] - random.integers(14, 26, 2)[:, None, None]
        square, disc = (abs(x) < 9) & (abs(y) < 9), x**2 + y**2 < 90
        label = 1 + index // 2 % 2
        inside = square if label == 1 else disc
        image_HWC[inside, label] += 120 if light == "dim" else 190
        mask_HW[inside] = label
        Image.fromarray(image_HWC).save(directory / f"images/{seed}-{index:03d}.png")
        Image.fromarray(mask_HW).save(directory / f"masks/{seed}-{index:03d}.png")
        rows.append(f"images/{seed}-{index:03d}.png,masks/{seed}-{index:03d}.png,{light}")
    (directory / "index.csv").write_text("\n".join(rows) + "\n")


def write_use_case(root: Path) -> Path:
    """Data and configuration below `root`; returns the configuration's path."""
    write_data(root / "data")
    config = root / "tiny.yaml"
    config.write_text(CONFIG.format(root=root))
    return config


def command(*arguments: object) -> list[str]:
    """The command line of `segpipe` with this interpreter."""
    return [sys.executable, "-m", "pipeline.cli.main", *map(str, arguments)]


def segpipe(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs `segpipe` to its end."""
    return subprocess.run(command(*arguments), capture_output=True, text=True, env=ENVIRONMENT, check=False)


def segpipe_here(capfd: pytest.CaptureFixture[str], *arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs `segpipe` to its end in this process, which has imported TensorFlow already, or will need it again."""
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        cli.main([*map(str, arguments)], prog_name="segpipe")
    status = ended.value.code
    assert isinstance(status, int)
    return subprocess.CompletedProcess(arguments, status, *capfd.readouterr())
