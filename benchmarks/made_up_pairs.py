"""Made-up pairs of any number, and a configuration that reads them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.config.run_config import RunConfig, make_config

SIDE = 256


def write_pairs(folder: Path, pairs: int) -> None:
    """Writes pairs of 256×256: crops of scikit-learn's photographs, with a bright rectangle each."""
    from sklearn.datasets import load_sample_images

    photographs = load_sample_images().images
    random = np.random.default_rng(0)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for index in range(pairs):
        image_HWC = photographs[index % 2]
        y, x = (int(random.integers(size - SIDE)) for size in image_HWC.shape[:2])
        image_HWC = image_HWC[y : y + SIDE, x : x + SIDE].copy()
        mask_HW = np.zeros([SIDE, SIDE], np.uint8)
        top, left = random.integers(0, SIDE // 2, 2)
        mask_HW[top : top + 80, left : left + 80] = 1
        image_HWC[mask_HW == 1] = np.maximum(image_HWC[mask_HW == 1], 200)
        Image.fromarray(image_HWC).save(folder / f"images/{index:06d}.jpg", quality=92)
        Image.fromarray(mask_HW).save(folder / f"masks/{index:06d}.png")


def configuration(folder: str, workspace: str, overrides: Sequence[str] = ()) -> RunConfig:
    """Returns a use case of them: record files of 2 MB, a small U-Net at 128², batches of 64, one epoch."""
    raw = {
        "name": "made-up-pairs",
        "workspace": workspace,
        "data": {
            "source": {"type": "folders", "root": folder},
            "classes": ["background", "bright"],
            "shard_bytes": 2_000_000,
        },
        "validation": {"schema": f"{workspace}/schema.pbtxt"},
        "transform": {"height": 128, "width": 128},
        "trainer": {"model": {"type": "unet", "width": 4, "depth": 2}, "batch_size": 64, "epochs": 1},
        "evaluator": {"thresholds": [{"metric": "mean_iou", "at_least": 0.0}]},
        "serving_check": None,
    }
    return make_config(raw, overrides, "benchmark")
