"""The steps that run on Beam on one core, with one worker, with two and on Flink, beside plain loops: pairs/s, memory.

    python -m benchmarks.engines FOLDER [--pairs 4000] [--repeat 3] [--sides core 1 2 flink]

FOLDER gets made-up pairs (`benchmarks/made_up_pairs.py`).  Each run is a process of its own with a new workspace; the
sides alternate.  Seconds are those of the steps, as `segpipe run` shows them, and those of `segpipe predict-batch` over
all images; imports and the start of the process that workers are forked from go on beside the first steps of a run and
are not counted.  Each side has two runs: in the first nearly all pairs are training data, whose images Transform reads
twice, in the second test data, which the evaluation reads.  Side `core` is one worker that has one core; side `1` is
one worker in which TensorFlow's threads have all cores.  Side `flink` is Beam's job server, a JobManager and two
TaskManagers of one slot each on this machine.  The loops run once, after the first side of the first round, on its
files and in its process.  Busy cores are CPU seconds of the run, its workers and the engine over a step's seconds;
memory is the sum of their proportional set sizes (PSS) at its peak.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.made_up_pairs import configuration, write_pairs
from benchmarks.processes import add_side, report, run_in_turn
from common.peak_memory import PeakMemory
from common.process_usage import PROPORTIONAL
from common.signatures import MASK_BYTES, SERVING_DEFAULT
from pipeline.config.run_config import RunConfig

if TYPE_CHECKING:
    from pipeline.cli.console import Step

SIDES = ("core", "1", "2", "flink")
EVALUATION = "SegmentationEvaluator"
STEPS = ("ImageMaskExampleGen", "StatisticsGen", "Transform", EVALUATION)
PREDICTION = "predict-batch"
_LARGE_TRAIN = "data.split={train: 0.95, eval: 0.025, test: 0.025}"
_LARGE_TEST = "data.split={train: 0.025, eval: 0.025, test: 0.95}"


def main() -> None:
    """Runs the sides in turn and prints the table, or one side if so told by the parent process."""
    arguments = _arguments()
    if arguments.side is not None:
        report(_measure(arguments))
        return
    write_pairs(Path(arguments.folder), arguments.pairs)
    runs = run_in_turn("benchmarks.engines", arguments.sides, arguments.repeat, in_first=("--loops",))
    load = os.getloadavg()[0]
    print(f"{arguments.pairs} pairs, {os.cpu_count()} cores, load {load:.1f}, {arguments.repeat} runs a side; medians")
    for line in table(runs):
        print(line)


def table(runs: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    """The rows: pairs/s of each side and of the loop, and how often each side is as fast as the first (each round)."""
    first, *others = runs
    yield "step                       loop" + "".join(f"{side:>9}" for side in runs) + "   to the first side"
    for step in (*STEPS, PREDICTION):
        rates = {side: [run["pairs"][step] / run["seconds"][step] for run in runs[side]] for side in runs}
        (loop_seconds,) = [run["loops"] for run in runs[first] if run["loops"]]
        loop = f"{runs[first][0]['pairs'][step] / loop_seconds[step]:9.0f}" if step in loop_seconds else f"{'':9}"
        medians = "".join(f"{statistics.median(rates[side]):9.0f}" for side in runs)
        yield f"{step:22}{loop}{medians}   " + "; ".join(_ratios(rates[first], rates[side], side) for side in others)
    for step in STEPS:
        busy = {side: statistics.median(run["cpu"][step] / run["seconds"][step] for run in runs[side]) for side in runs}
        yield f"{step:22}{'busy cores':>9}" + "".join(f"{cores:9.2f}" for cores in busy.values())
    yield f"{'peak MB':31}" + "".join(f"{statistics.median(run['peak'] for run in runs[side]):9.0f}" for side in runs)


def _ratios(first: list[float], other: list[float], side: str) -> str:
    rounds = ", ".join(f"{b / a:.2f}" for a, b in zip(first, other, strict=True))
    return f"{side}: {statistics.median(other) / statistics.median(first):.2f} ({rounds})"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="folder for the data")
    parser.add_argument("--pairs", type=int, default=4000, help="number of pairs")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each side")
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=SIDES, help="what runs")
    parser.add_argument("--loops", action="store_true", help=argparse.SUPPRESS)
    add_side(parser, SIDES)
    return parser.parse_args()


def _beam(side: str) -> tuple[str, ...]:
    return {"flink": ("beam.runner=flink",), "2": ("beam.workers=2",)}.get(side, ("beam.workers=1",))


def _measure(arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.side == "core":
        os.sched_setaffinity(0, {0})
    memory = PeakMemory(PROPORTIONAL)
    with tempfile.TemporaryDirectory() as workspace:
        with _engine(arguments.side), memory:
            config, steps = _run(arguments, f"{workspace}/train", _LARGE_TRAIN)
            pairs = _pairs(arguments, config)
            evaluated, evaluation = _run(arguments, f"{workspace}/test", _LARGE_TEST)
            pairs[EVALUATION] = _used(evaluated)["test"]
            prediction = _predict(arguments, config)
        loops = _loops(arguments, config) if arguments.loops and arguments.side == arguments.sides[0] else {}
    steps[EVALUATION] = evaluation[EVALUATION]
    return {
        "seconds": {**{name: step.seconds for name, step in steps.items()}, PREDICTION: prediction},
        "cpu": {name: step.cpu_seconds for name, step in steps.items()},
        "pairs": pairs,
        "loops": loops,
        "peak": memory.megabytes or 0.0,
    }


def _run(arguments: argparse.Namespace, workspace: str, split: str) -> tuple[RunConfig, dict[str, Step]]:
    from pipeline.cli.console import quiet_streams
    from pipeline.local.run import run_pipeline

    config = configuration(arguments.folder, workspace, (*_beam(arguments.side), split))
    config.workspace_dir.mkdir()
    with quiet_streams(config.workspace_dir / "log") as console:
        outcome = run_pipeline(config, console)
    assert outcome is not None
    return config, {step.name: step for step in outcome.steps if step.name in STEPS}


@contextlib.contextmanager
def _engine(side: str) -> Iterator[None]:
    """Runs `segpipe beam-server` on the side of Flink."""
    if side != "flink":
        yield
        return
    command = [sys.executable, "-m", "pipeline.cli.main", "beam-server", "--workers", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        if not any(line.startswith("job server: ") for line in server.stdout):
            sys.exit("segpipe beam-server did not start")
        try:
            yield
        finally:
            server.terminate()


def _predict(arguments: argparse.Namespace, config: RunConfig) -> float:
    from pipeline.cli.predict_batch import open_model, predict_into

    model = open_model(config.registry_uri, None, _beam(arguments.side))
    source = {"type": "images", "root": f"{arguments.folder}/images"}
    began = time.monotonic()
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        rejected = predict_into(model, {"source": source, "out": f"{config.workspace_dir}/predictions"}, False)
    assert not rejected
    return time.monotonic() - began


def _pairs(arguments: argparse.Namespace, config: RunConfig) -> dict[str, int]:
    """Number of pairs or images that each step reads."""
    images = len(list(Path(arguments.folder, "images").iterdir()))
    return {**dict.fromkeys(STEPS, sum(_used(config).values())), PREDICTION: images}


def _used(config: RunConfig) -> dict[str, int]:
    """Number of pairs that a run used, by split."""
    (summary,) = config.workspace_dir.glob("artifacts/ImageMaskExampleGen/quarantine/*/summary.json")
    used: dict[str, int] = json.loads(summary.read_text())["used"]
    return used


def _loops(arguments: argparse.Namespace, config: RunConfig) -> dict[str, float]:
    """Seconds of plain loops that do the work of some steps."""
    from benchmarks import ingestion, transform

    (examples,) = config.workspace_dir.glob("artifacts/ImageMaskExampleGen/examples/*")
    ingest = ingestion.plain_loop(config.data)
    began = time.monotonic()
    ingest()
    seconds = {"ImageMaskExampleGen": time.monotonic() - began}
    seconds["Transform"], _ = transform.plain_loop(config, str(examples), config.workspace_dir / "loop")
    seconds[PREDICTION] = _prediction_loop(arguments, config)
    return seconds


def _prediction_loop(arguments: argparse.Namespace, config: RunConfig) -> float:
    """Loads the served SavedModel, predicts batches of 8 files, and writes each mask."""
    import tensorflow as tf

    (version,) = Path(config.registry_uri).glob("**/saved_model.pb")
    out = config.workspace_dir / "loop-masks"
    out.mkdir()
    began = time.monotonic()
    predict = tf.saved_model.load(str(version.parent)).signatures[SERVING_DEFAULT]
    files = sorted(Path(arguments.folder, "images").iterdir())
    for start in range(0, len(files), 8):
        batch = files[start : start + 8]
        masks = predict(image=tf.constant([file.read_bytes() for file in batch]))[MASK_BYTES].numpy()
        for file, mask in zip(batch, masks, strict=True):
            (out / f"{file.stem}.png").write_bytes(mask)
    return time.monotonic() - began


if __name__ == "__main__":
    main()
