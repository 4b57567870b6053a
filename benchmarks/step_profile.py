"""Where the time of a training step goes, by TensorFlow's profiler: is it arithmetic?

    python -m benchmarks.step_profile CONFIG [--set KEY=VALUE …] [--epochs 3] [--markdown]

The Trainer itself trains, with its callbacks, on records that the pipeline's own steps make in a temporary workspace;
the profiler records all ops of the processor.  Counted are the steps of all epochs but the first, from the begin of an
epoch's first step to the end of its last one: evaluation, checkpoints and what else happens between epochs are not part
of a step.  That wall time is divided into

- arithmetic: at least one op computes; divided into forward pass (with the loss), backward pass, update and the rest
  (metrics, the check for divergence) by the sums of their ops' durations, as ops may run side by side,
- input: no op computes, and the step waits for its batch,
- executor: a step runs, but none of its ops: the scheduling of ops and the call from Python,
- between steps: callbacks and Keras' own loop.

A second line is the time until the first step has ended, in which the graph is traced, beyond that of a later step.
The profiler itself costs time, most where ops are small: milliseconds a step are given by the Trainer's own clock,
in a training without it.
"""

from __future__ import annotations

import argparse
import re
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from common.tensorflow_environment import set_tensorflow_environment

if TYPE_CHECKING:
    from components.trainer.history import TrainingHistory
    from pipeline.config.run_config import RunConfig

ASKED = 0.97
TRAIN_STEP, TEST_STEP = "train_function", "test_function"
INPUT = "input"
SPLITS = ("train", "eval")
PARTS = ("forward", "backward", "update", "rest")


class Span(NamedTuple):
    """An event of the profiler; seconds since it was started."""

    name: str
    begin: float
    end: float


class Split(NamedTuple):
    """Seconds of the wall time of some steps."""

    wall: float
    arithmetic: float
    input: float
    executor: float
    between: float
    sums: dict[str, float]
    """Sums of the durations of ops, by part."""
    steps: int


def main() -> None:
    """Trains with the profiler and without it, and prints the split."""
    arguments = _arguments()
    set_tensorflow_environment()
    from benchmarks.steps import run_until
    from pipeline.config.run_config import load_config

    with tempfile.TemporaryDirectory() as folder:
        overrides = [f"workspace={folder}", f"trainer.epochs={arguments.epochs}", *arguments.overrides]
        config = load_config(arguments.config, overrides)
        _, outputs = run_until(config, "Transform")
        records = Path(outputs["Transform"]["transformed_examples"])
        spans = _profiled(config, records, Path(folder, "profile"))
        plain = _train(config, records)
    steps = [span for span in spans if span.name == TRAIN_STEP]
    split = _split(spans, _epochs(spans)[1:])
    later = statistics.median(step.end - step.begin for step in steps[1:])
    _print(arguments, config, split, plain.milliseconds_per_step)
    print(f"first step: {steps[0].end - steps[0].begin - later:.1f} s more than a later one")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", help="configuration of the use case")
    parser.add_argument("--set", dest="overrides", action="append", default=[], help="change a key, as segpipe does")
    parser.add_argument("--epochs", type=int, default=3, help="the first is not counted")
    parser.add_argument("--markdown", action="store_true", help="print rows for docs/results.md")
    return parser.parse_args()


def _train(config: RunConfig, records: Path) -> TrainingHistory:
    from benchmarks.seeds.data import Prepared
    from benchmarks.seeds.ours import train_ours

    files = {split: [str(file) for file in sorted((records / f"Split-{split}").iterdir())] for split in SPLITS}
    return train_ours(config, config.seed, Prepared({}, files)).history


def _profiled(config: RunConfig, records: Path, folder: Path) -> list[Span]:
    import tensorflow as tf

    options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=2, python_tracer_level=0)
    tf.profiler.experimental.start(str(folder), options)
    _train(config, records)
    tf.profiler.experimental.stop()
    (file,) = folder.rglob("*.xplane.pb")
    return sorted(_spans(file), key=lambda span: span.begin)


def _spans(file: Path) -> Iterator[Span]:
    from tensorflow.core.profiler.protobuf.xplane_pb2 import XSpace

    for plane in XSpace.FromString(file.read_bytes()).planes:
        if plane.name == "/host:CPU":
            for line in plane.lines:
                for event in line.events:
                    begin = line.timestamp_ns / 1e9 + event.offset_ps / 1e12
                    yield Span(plane.event_metadata[event.metadata_id].name, begin, begin + event.duration_ps / 1e12)


def _epochs(spans: Sequence[Span]) -> list[list[Span]]:
    """The steps of each epoch; an evaluation ends an epoch."""
    epochs: list[list[Span]] = [[]]
    for span in spans:
        if span.name == TEST_STEP and epochs[-1]:
            epochs.append([])
        elif span.name == TRAIN_STEP:
            epochs[-1].append(span)
    return [epoch for epoch in epochs if epoch]


def _split(spans: Sequence[Span], epochs: Sequence[Sequence[Span]]) -> Split:
    sums: dict[str, float] = defaultdict(float)
    wall = arithmetic = waiting = inside = 0.0
    for steps in epochs:
        begin, end = steps[0].begin, steps[-1].end
        ops = [(part, span) for span in spans if begin <= span.begin < end and (part := _part(span.name))]
        for part, op in ops:
            sums[part] += op.end - op.begin
        wall += end - begin
        inside += sum(step.end - step.begin for step in steps)
        computing = _covered([op for part, op in ops if part != INPUT])
        arithmetic += computing
        waiting += _covered([op for _, op in ops]) - computing
    between = wall - inside
    executor = inside - arithmetic - waiting
    return Split(wall, arithmetic, waiting, executor, between, sums, sum(map(len, epochs)))


def _part(name: str) -> str | None:
    """The part of a step to which an op belongs; none for the input pipeline's own ops and for what is no op.

    The profiler names an op of a graph `name:kernel`.
    """
    op, colon, kernel = name.partition(":")
    if not colon or kernel.startswith((":", " ")) or kernel in ("_Send", "_Recv", "_HostSend", "_HostRecv"):
        return None
    if kernel.startswith("IteratorGetNext"):
        return INPUT
    if "gradient_tape" in op or op.startswith("gradients/"):
        return "backward"
    if re.match(r"(train_step|loss)(_\d+)?/", op):
        return "forward"
    return "update" if "Adam" in op or "AdamW" in op or "SGD" in op or "Assign" in kernel else "rest"


def _covered(spans: Sequence[Span]) -> float:
    """Seconds in which at least one of `spans` goes on."""
    total, until = 0.0, 0.0
    for span in sorted(spans, key=lambda span: span.begin):
        total += max(0.0, span.end - max(span.begin, until))
        until = max(until, span.end)
    return total


def _print(arguments: argparse.Namespace, config: RunConfig, split: Split, plain: float | None) -> None:
    from benchmarks.seeds.table import print_table

    sums = sum(split.sums[part] for part in PARTS)
    shares: dict[str, Any] = {part: split.arithmetic * split.sums[part] / sums for part in PARTS}
    shares |= {"input": split.input, "executor": split.executor, "between steps": split.between}
    row = [f"{seconds / split.wall:.1%}" for seconds in shares.values()]
    print_table(
        [
            ["configuration", "ms a step", "with profiler", *shares, "arithmetic"],
            [
                config.name,
                f"{plain or 0:.0f}",
                f"{split.wall / split.steps * 1000:.0f}",
                *row,
                f"{split.arithmetic / split.wall:.1%}",
            ],
        ],
        arguments.markdown,
    )
    print(f"{split.steps} steps; {ASKED:.0%} asked for")


if __name__ == "__main__":
    main()
