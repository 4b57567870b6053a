"""The steps that run on Beam, with one worker and with two: seconds of each step, and memory.

    python -m benchmarks.beam_workers FOLDER [--pairs 1000] [--repeat 3]

FOLDER gets made-up pairs of 256×256: crops of scikit-learn's photographs, with a bright rectangle each.  Each run is a
process of its own with a new workspace; the sides alternate.  Seconds are those of the steps, as `segpipe run` shows
them; imports and the start of the process that workers are forked from go on beside the first steps of a run and are
not counted.  Memory is the sum of the proportional set sizes (PSS) of the run and its workers at its peak.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import threading
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.processes import add_side, report, run_in_turn
from pipeline.config.run_config import RunConfig, make_config

SIDES = ("1", "2")
STEPS = ("ImageMaskExampleGen", "StatisticsGen", "Transform", "SegmentationEvaluator")
SIDE = 256


def main() -> None:
    """Runs both sides in turn and prints the table, or one side if so told by the parent process."""
    arguments = _arguments()
    if arguments.side is not None:
        report(_measure(arguments))
        return
    _write_pairs(Path(arguments.folder), arguments.pairs)
    runs = run_in_turn("benchmarks.beam_workers", SIDES, arguments.repeat)
    load = os.getloadavg()[0]
    print(f"{arguments.pairs} pairs, {os.cpu_count()} cores, load {load:.1f}, {arguments.repeat} runs a side")
    print("step                     1 worker   2 workers   ratio of medians (each round)")
    for step in (*STEPS, "peak MB"):
        print(_row(step, *([run[step] for run in runs[side]] for side in SIDES)))


def _row(step: str, one: list[float], two: list[float]) -> str:
    ratios = ", ".join(f"{a / b:.2f}" for a, b in zip(one, two, strict=True))
    medians = statistics.median(one), statistics.median(two)
    return f"{step:22} {medians[0]:10.1f} {medians[1]:11.1f}   {medians[0] / medians[1]:.2f} ({ratios})"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="folder for the data")
    parser.add_argument("--pairs", type=int, default=1000, help="number of pairs")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each side")
    add_side(parser, SIDES)
    return parser.parse_args()


def _write_pairs(folder: Path, pairs: int) -> None:
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
        Image.fromarray(image_HWC).save(folder / f"images/{index:05d}.jpg", quality=92)
        Image.fromarray(mask_HW).save(folder / f"masks/{index:05d}.png")


def _configuration(arguments: argparse.Namespace, workspace: str) -> RunConfig:
    raw = {
        "name": "workers",
        "workspace": workspace,
        "data": {
            "source": {"type": "folders", "root": arguments.folder},
            "classes": ["background", "bright"],
            "shard_bytes": 2_000_000,
        },
        "validation": {"schema": f"{workspace}/schema.pbtxt"},
        "transform": {"height": 128, "width": 128},
        "trainer": {"model": {"type": "unet", "width": 8, "depth": 3}, "batch_size": 32, "epochs": 1},
        "evaluator": {"thresholds": [{"metric": "mean_iou", "at_least": 0.0}]},
        "serving_check": None,
        "beam": {"workers": int(arguments.side)},
    }
    return make_config(raw, (), "benchmark")


def _measure(arguments: argparse.Namespace) -> dict[str, float]:
    from pipeline.cli.console import quiet_streams
    from pipeline.local.run import run_pipeline

    memory = PeakMemory()
    with tempfile.TemporaryDirectory() as workspace:
        config = _configuration(arguments, workspace)
        with quiet_streams(Path(workspace, "log")) as console, memory:
            outcome = run_pipeline(config, console)
    assert outcome is not None
    seconds = {step.name: step.seconds for step in outcome.steps}
    return {**{step: seconds[step] for step in STEPS}, "peak MB": memory.megabytes}


class PeakMemory:
    """The most memory that this process and those below it had together, read twice a second."""

    def __init__(self) -> None:
        self.megabytes = 0.0
        self._ended = threading.Event()

    def __enter__(self) -> PeakMemory:
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._read()

    def _watch(self) -> None:
        while not self._ended.wait(0.5):
            self._read()

    def _read(self) -> None:
        self.megabytes = max(self.megabytes, sum(map(_proportional_megabytes, _family(os.getpid()))))


def _family(process: int) -> list[int]:
    """A process and all below it; the process that workers are forked from is one of them."""
    try:
        children = [
            int(child)
            for task in Path(f"/proc/{process}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:
        return []
    return [process, *(member for child in children for member in _family(child))]


def _proportional_megabytes(process: int) -> float:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1000


if __name__ == "__main__":
    main()
