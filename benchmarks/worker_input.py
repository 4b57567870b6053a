"""Images/s that two workers read for a training, beside what one reads: how near to twice as many?

    python -m benchmarks.worker_input CONFIG [--set KEY=VALUE …] [--rounds 5] [--epochs 2]

Each worker is a process on a core of its own that reads, parses and augments its share of the training records, as
`fit` gets them from the strategy, which trains on nothing here.  A round is one worker alone, then two together;
records are made once, by the pipeline's own steps in a temporary workspace.  They are read both as data that fits into
`trainer.cache_bytes` and as data that does not.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.processes import report

ASKED = 0.9
_CACHES = {"held in memory": 2_000_000_000, "streamed": 1}


def main() -> None:
    """Prints a line for each way of reading, or measures one worker if so told by the parent process."""
    arguments = _arguments()
    if arguments.records:
        report(_measure(arguments))
        return
    from benchmarks.steps import run_until
    from pipeline.config.run_config import load_config

    with tempfile.TemporaryDirectory() as workspace:
        config = load_config(arguments.config, [*arguments.overrides, f"workspace={workspace}"])
        _, outputs = run_until(config, "Transform")
        records = Path(outputs["Transform"]["transformed_examples"]) / "Split-train"
        files = len(list(records.iterdir()))
        print(f"{arguments.config}: {files} files, {os.cpu_count()} cores, {arguments.rounds} rounds")
        print("records          one worker   two together   of twice one (each round)")
        for name in _CACHES:
            print(_row(name, [_round(name, records) for _ in range(arguments.rounds)]))


def _row(name: str, rounds: list[tuple[float, float]]) -> str:
    ratios = [two / (2 * one) for one, two in rounds]
    one, two = (statistics.median(column) for column in zip(*rounds, strict=True))
    each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    return f"{name:15} {one:11.0f} {two:14.0f}   {statistics.median(ratios):.2f} ({each}; {ASKED} asked for)"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", help="configuration of the use case")
    parser.add_argument("--set", dest="overrides", action="append", default=[], help="change a key, as segpipe does")
    parser.add_argument("--rounds", type=int, default=5, help="runs of one and of two workers")
    parser.add_argument(
        "--epochs", type=int, default=2, help="measured epochs, after one that fills what is filled once"
    )
    parser.add_argument("--records", help=argparse.SUPPRESS)
    parser.add_argument("--cache", help=argparse.SUPPRESS)
    return parser.parse_args()


def _round(cache: str, records: Path) -> tuple[float, float]:
    """Images/s of one worker alone, and the sum of two."""
    return sum(_run(cache, records, [None])), sum(_run(cache, records, _cluster(2)))


def _run(cache: str, records: Path, clusters: list[str | None]) -> list[float]:
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
    return [float(json.loads(text.splitlines()[-1])["rate"]) for text in told]


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
    from components.trainer.strategy import choose_strategy, share_of, shared_out
    from pipeline.config.run_config import load_config

    strategy = choose_strategy()
    config = load_config(arguments.config, arguments.overrides)
    files = [str(file) for file in sorted(Path(arguments.records).iterdir())]
    trainer = config.trainer.model_copy(update={"cache_bytes": _CACHES[arguments.cache]})
    share = share_of(strategy)
    batches = training_dataset(files, trainer, config.transform, config.seed, share=share)
    shared = strategy.experimental_distribute_dataset(shared_out(batches, already=True))
    sum(1 for _ in shared)
    began = time.monotonic()
    for _ in range(arguments.epochs):
        sum(1 for _ in shared)
    return {"rate": arguments.epochs * share.size(count_records(files)) / (time.monotonic() - began)}


if __name__ == "__main__":
    main()
