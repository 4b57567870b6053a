"""Images/s that two workers read for a training, beside what one reads: how near to twice as many?

    python -m benchmarks.worker_input FOLDER [--pairs 20000] [--rounds 5]

FOLDER gets made-up pairs (`benchmarks/made_up_pairs.py`).  Records are made once, by the pipeline's own steps in a
temporary workspace.  Each worker is a process on a core of its own that reads, parses and augments its share of the
training records.  A round is one worker alone, then two together; in each, first the batches of the input pipeline
itself, then the same as training hands them to `fit`.  Records are read both as data that fits into
`trainer.cache_bytes` and as data that does not.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import math
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.made_up_pairs import configuration, write_pairs
from benchmarks.processes import report

ASKED = 0.9
_CACHES = {"held in memory": 4_000_000_000, "streamed": 1}
_WAYS = ("input pipeline", "strategy")


def main() -> None:
    """Prints two lines for each way of reading, or measures one worker if so told by the parent process."""
    arguments = _arguments()
    if arguments.records:
        report(_measure(arguments))
        return
    write_pairs(Path(arguments.folder), arguments.pairs)
    with tempfile.TemporaryDirectory() as workspace:
        records = _make_records(arguments.folder, workspace)
        files = len(list(records.iterdir()))
        print(f"{arguments.pairs} pairs, {files} files, {os.cpu_count()} cores, {arguments.rounds} rounds")
        print("records         batches of       one worker   two together   of twice one (each round)")
        for cache in _CACHES:
            rounds = [_round(cache, records) for _ in range(arguments.rounds)]
            for way in _WAYS:
                print(_row(cache, way, [(one[way], two[way]) for one, two in rounds]), flush=True)


def _make_records(folder: str, workspace: str) -> Path:
    from benchmarks.steps import run_until
    from pipeline.dag.schema_file import provide_schema

    config = configuration(folder, workspace)
    provide_schema(config)
    _, outputs = run_until(config, "Transform")
    return Path(outputs["Transform"]["transformed_examples"]) / "Split-train"


def _row(cache: str, way: str, rounds: list[tuple[float, float]]) -> str:
    ratios = [two / (2 * one) for one, two in rounds]
    one, two = (statistics.median(column) for column in zip(*rounds, strict=True))
    each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    return f"{cache:15} {way:14} {one:12.0f} {two:14.0f}   {statistics.median(ratios):.2f} ({each}; {ASKED} asked for)"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="folder for the data")
    parser.add_argument("--pairs", type=int, default=20_000, help="number of pairs")
    parser.add_argument("--rounds", type=int, default=5, help="runs of one and of two workers")
    parser.add_argument("--records", help=argparse.SUPPRESS)
    parser.add_argument("--cache", help=argparse.SUPPRESS)
    return parser.parse_args()


def _round(cache: str, records: Path) -> tuple[dict[str, float], dict[str, float]]:
    """Images/s of one worker alone, and the sum of two, by the way in which batches are taken."""
    return _run(cache, records, [None]), _run(cache, records, _cluster(2))


def _run(cache: str, records: Path, clusters: list[str | None]) -> dict[str, float]:
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.worker_input", *sys.argv[1:]]
    command += ["--records", str(records), "--cache", cache]
    workers = []
    for core, cluster in enumerate(clusters):
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **({"TF_CONFIG": cluster} if cluster else {})}
        pinned = ["taskset", "--cpu-list", str(core), *command]
        workers.append(subprocess.Popen(pinned, env=environment, stdout=subprocess.PIPE, text=True))
    told = [worker.communicate()[0] for worker in workers]
    if any(worker.returncode for worker in workers):
        sys.exit("a worker failed")
    rates = [json.loads(text.splitlines()[-1]) for text in told]
    return {way: sum(rate[way] for rate in rates) for way in _WAYS}


def _cluster(workers: int) -> list[str | None]:
    """`TF_CONFIG` of each worker, all on this machine."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(workers)]
    addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    tasks = [{"cluster": {"worker": addresses}, "task": {"type": "worker", "index": i}} for i in range(workers)]
    return [json.dumps(task) for task in tasks]


def _measure(arguments: argparse.Namespace) -> dict[str, Any]:
    from components.trainer.input_pipeline import training_dataset
    from components.trainer.record_files import count_records
    from components.trainer.strategy import all_reduce, choose_strategy, share_of, shared_out, training_input

    strategy = choose_strategy()
    config = configuration(arguments.folder, "unused")
    files = [str(file) for file in sorted(Path(arguments.records).iterdir())]
    trainer = config.trainer.model_copy(update={"cache_bytes": _CACHES[arguments.cache]})
    share, count = share_of(strategy), count_records(files)
    epoch = training_dataset(files, trainer, config.transform, config.seed, share=share)
    batches = shared_out(epoch, already=True)
    distributed = training_input(strategy, epoch, count, trainer.pictures_per_step)
    steps = math.ceil(count / trainer.pictures_per_step)
    readers: dict[str, Iterator[None]] = {
        "input pipeline": _epochs_of(batches),
        "strategy": _epochs_as_in_fit(strategy, distributed, steps),
    }
    meet = functools.partial(all_reduce, strategy, 0.0)
    return {way: share.size(count) / _seconds_of_second(epochs, meet) for way, epochs in readers.items()}


def _seconds_of_second(epochs: Iterator[None], meet: Callable[[], object]) -> float:
    """Seconds of the second epoch; `meet` returns once all workers have called it."""
    meet()
    next(epochs)  # Fills what is filled once.
    began = time.monotonic()  # At once: in a pause, what is read ahead would be filled at no cost.
    next(epochs)
    seconds = time.monotonic() - began
    meet()
    return seconds


def _epochs_of(batches: Iterable[Any]) -> Iterator[None]:
    while True:
        for _ in batches:
            pass
        yield


def _epochs_as_in_fit(strategy: Any, given: Any, steps: int) -> Iterator[None]:
    """Takes each batch in a graph, as Keras' `train_function` does, and epochs as its `DataHandler` does."""
    import tensorflow as tf

    @tf.function
    def step(iterator: Any) -> None:
        strategy.run(tf.nest.flatten, (next(iterator),))

    if not isinstance(given, tf.data.Dataset):
        iterator = iter(given)
        while True:
            for _ in range(steps):
                step(iterator)
            yield
    distributed = strategy.experimental_distribute_dataset(given)
    while True:
        iterator = iter(distributed)
        with contextlib.suppress(tf.errors.OutOfRangeError):
            while True:
                step(iterator)
        yield


if __name__ == "__main__":
    main()
