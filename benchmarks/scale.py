"""Growth with the number of pairs: seconds, memory and bytes of ingestion, statistics and Transform, and a cost model.

    python -m benchmarks.scale FOLDER [--pairs 1000 10000 100000] [--side-pixels 32] [--beam '{"workers": 2}']

FOLDER gets made-up PNG pairs: noise with a bright rectangle, all in one folder, so that the listing is measured as
well.  Each number of pairs is a process of its own with a new workspace.  Memory is the proportional set size (PSS) of
the process and of what it has started, at its peak in each step; CPU seconds are those of the process, so with several
workers theirs are not in it.  The cost model is the straight line through the two largest points, continued to 10⁸
pairs: what a pair costs, not what a start costs.  It needs points that are far apart, or it would continue noise.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.processes import report, run_side
from common.peak_memory import PeakMemory
from common.process_usage import PROPORTIONAL
from pipeline.config.run_config import RunConfig, make_config

STEPS = ("ImageMaskExampleGen", "StatisticsGen", "Transform")
_LISTING = "listing"
_MODELLED = (10**4, 10**5, 10**6, 10**7, 10**8)
_LEAST, _LEAST_RATIO = 10_000, 10
_PATTERNS = 64
"""Different images; each file is one of them with its number in it, as equal images would be duplicates."""


def main() -> None:
    """Measures each number of pairs and prints both tables, or measures one if so told by the parent process."""
    arguments = _arguments()
    if arguments.side is not None:
        report(_measure(arguments, int(arguments.side)))
        return
    measured = {}
    for pairs in sorted(arguments.pairs):
        write_pairs(Path(arguments.folder, str(pairs)), pairs, arguments.side_pixels)
        measured[pairs] = run_side("benchmarks.scale", str(pairs))
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, images of {arguments.side_pixels}²")
    for line in itertools.chain(measured_rows(measured), model_rows(measured)):
        print(line)


def write_pairs(folder: Path, pairs: int, side: int) -> None:
    """Writes made-up pairs, if they are not there."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    if (folder / "masks" / f"{pairs - 1:09d}.png").exists():
        return
    random = np.random.default_rng(0)
    noise_NHWC = random.integers(0, 120, [_PATTERNS, side, side, 3], np.uint8)
    for index in range(pairs):
        image_HWC, mask_HW = noise_NHWC[index % _PATTERNS].copy(), np.zeros([side, side], np.uint8)
        top, left = index % (side // 2), index // 7 % (side // 2)
        mask_HW[top : top + side // 3, left : left + side // 3] = 1
        image_HWC[mask_HW == 1] |= 128
        image_HWC[0, :3, 0] = index & 255, index >> 8 & 255, index >> 16 & 255
        Image.fromarray(image_HWC).save(folder / f"images/{index:09d}.png", compress_level=1)
        Image.fromarray(mask_HW).save(folder / f"masks/{index:09d}.png", compress_level=1)


def measured_rows(measured: dict[int, dict[str, Any]]) -> Iterator[str]:
    """The table of what was measured."""
    yield "pairs      step                    seconds     CPU s   pairs/s   peak MB   bytes a pair"
    for pairs, steps in measured.items():
        for step, figures in steps.items():
            seconds, size = figures["seconds"], figures["bytes"] / pairs
            speed, cpu, memory = pairs / seconds, figures["cpu_seconds"], figures["peak_mb"]
            yield f"{pairs:<10} {step:22} {seconds:8.1f} {cpu:9.1f} {speed:9.0f} {memory:9.0f} {size:14.0f}"


def model_rows(measured: dict[int, dict[str, Any]]) -> Iterator[str]:
    """The table of the cost model: hours of one core, memory of one process, and bytes."""
    fewer, more = sorted(measured)[-2:] if len(measured) > 1 else (0, 0)
    if more < max(_LEAST, _LEAST_RATIO * fewer):
        needed = f"two numbers of pairs, {_LEAST_RATIO} times apart, the larger at least {_LEAST}"
        yield f"\nno cost model: it needs {needed}"
        return
    yield "\npairs      step                 core hours   one process' GB        GB written"
    for pairs, step in itertools.product(_MODELLED, (_LISTING, *STEPS)):
        low, high = measured[fewer][step], measured[more][step]
        values = {key: _on_line(fewer, low[key], more, high[key], pairs) for key in low}
        hours, memory, size = values["cpu_seconds"] / 3600, values["peak_mb"] / 1000, values["bytes"] / 1e9
        yield f"{pairs:<10.0e} {step:22} {hours:8.2f} {memory:16.1f} {size:17.1f}"


def _on_line(x0: float, y0: float, x1: float, y1: float, x: float) -> float:
    """The value at `x` of the line through two points; it does not fall."""
    return y1 + max(0.0, (y1 - y0) / (x1 - x0)) * (x - x1)


class MemoryBySteps:
    """The peak of memory in each step, its seconds, and those of the CPU."""

    def __init__(self) -> None:
        self.figures: dict[str, dict[str, float]] = {}

    @contextlib.contextmanager
    def around(self, step: str) -> Iterator[None]:
        """Measures one step."""
        memory, began, cpu_before = PeakMemory(PROPORTIONAL), time.monotonic(), time.process_time()
        with memory:
            yield
        self.figures[step] = {
            "seconds": time.monotonic() - began,
            "cpu_seconds": time.process_time() - cpu_before,
            "peak_mb": memory.megabytes or 0.0,
        }


def _measure(arguments: argparse.Namespace, pairs: int) -> dict[str, Any]:
    from benchmarks.steps import run_until
    from components.example_gen.ingestion import Ingestion
    from pipeline.beam.engine import beam_engine
    from pipeline.beam.tfx_steps import running_with
    from pipeline.dag.schema_file import provide_schema

    meter = MemoryBySteps()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as workspace:
        config = _configuration(arguments, pairs, workspace)
        with meter.around(_LISTING):
            Ingestion(config.data, 0).listing()
        provide_schema(config)
        with beam_engine(config.beam) as beam_arguments, running_with(beam_arguments):
            _, outputs = run_until(config, STEPS[-1], meter.around)
        sizes = {step: sum(map(_folder_bytes, outputs[step].values())) for step in STEPS}
    return {step: {**meter.figures[step], "bytes": sizes.get(step, 0)} for step in (_LISTING, *STEPS)}


def _folder_bytes(folder: str) -> int:
    return sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())


def _configuration(arguments: argparse.Namespace, pairs: int, workspace: str) -> RunConfig:
    raw = {
        "name": "scale",
        "workspace": workspace,
        "data": {
            "source": {"type": "folders", "root": f"{arguments.folder}/{pairs}"},
            "classes": ["background", "bright"],
            "shard_bytes": 8_000_000,
        },
        "validation": {"schema": f"{arguments.folder}/schema.pbtxt"},  # Inferred once, from the fewest pairs.
        "transform": {"height": arguments.side_pixels, "width": arguments.side_pixels},
        "trainer": {"model": {"type": "unet", "width": 8, "depth": 2}},
        "beam": json.loads(arguments.beam),
    }
    return make_config(raw, (), "benchmark")


def _arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="folder for the data and the workspaces")
    parser.add_argument("--pairs", type=int, nargs="+", default=[1000, 10_000], help="numbers of pairs")
    parser.add_argument("--side-pixels", type=int, default=32, help="height and width of the images")
    parser.add_argument("--beam", default="{}", help="section beam of the configuration, as JSON")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    return parser.parse_args(given)


if __name__ == "__main__":
    sys.exit(main())
