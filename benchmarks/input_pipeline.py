"""Training on real data beside the same steps on one batch that is held in memory: is the trainer ever starved?

    python -m benchmarks.input_pipeline CONFIG [--set KEY=VALUE …] [--rounds 7] [--seconds 60]

Records are made by the pipeline's own steps in a temporary workspace, network and training step by the trainer itself.
A round is an epoch of each side, in turn: ours reads, shuffles, decodes and augments as in `fit`, with a new iterator;
the other takes the same number of pictures from one batch and has nothing to do but train.  An epoch is cut short where
it would take more than `--seconds` for all rounds of a side.  Each round has a ratio, so that a machine that slows down
slows both down; their median is what counts, and 0.97 is asked for.  The last line is what the input pipeline could
deliver if nobody trained.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tensorflow as tf

    from components.trainer.training import Task
    from pipeline.config.run_config import RunConfig

ASKED = 0.97


def main() -> None:
    """Prints a line a side, and the ratio."""
    arguments = _arguments()
    from benchmarks.steps import run_until
    from pipeline.config.run_config import load_config

    with tempfile.TemporaryDirectory() as workspace:
        config = load_config(arguments.config, [*arguments.overrides, f"workspace={workspace}"])
        _, outputs = run_until(config, "Transform")
        task = _task(config, Path(outputs["Transform"]["transformed_examples"]))
        rates = _measure(task, arguments.rounds, arguments.seconds)
        alone = _delivered(task)
    transform = config.transform
    print(
        f"{arguments.config}: {task.train_pictures} pictures of {transform.height}×{transform.width}, "
        f"{config.trainer.pictures_per_step} a step, {_machine()}, {arguments.rounds} rounds"
    )
    print("side          images/s   least    most")
    for side, values in rates.items():
        print(f"{side:12} {statistics.median(values):9.1f} {min(values):7.1f} {max(values):7.1f}")
    ratios = [real / fake for real, fake in zip(rates["real data"], rates["one batch"], strict=True)]
    print(f"real / one batch: {statistics.median(ratios):.3f} ({ASKED} asked for)")
    print(f"input pipeline alone: {alone:.0f} images/s")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", help="configuration of the use case")
    parser.add_argument("--set", dest="overrides", action="append", default=[], help="change a key, as segpipe does")
    parser.add_argument("--rounds", type=int, default=7, help="epochs of each side")
    parser.add_argument("--seconds", type=float, default=60, help="at most, all rounds of a side")
    return parser.parse_args()


def _task(config: RunConfig, records: Path) -> Task:
    from components.trainer.losses.config import given_class_weights
    from components.trainer.training import Places, make_task

    train_files, eval_files = (
        [str(file) for file in sorted((records / f"Split-{split}").iterdir())] for split in ("train", "eval")
    )
    places = Places(train_files, eval_files, resume_dir="", tensorboard_dir="")
    weights = given_class_weights(config.trainer.class_weights, config.data.classes)
    return make_task(config.trainer, config.transform, len(config.data.classes), config.seed, places, weights)


def _measure(task: Task, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Images a second, in each round of each side."""
    from components.trainer.phases import phases, prepare
    from components.trainer.strategy import choose_strategy, shared_out
    from components.trainer.training import compile_train_step, make_network

    strategy = choose_strategy()
    network = make_network(task, strategy)
    phase = phases(task.config)[-1]
    prepare(network, phase, task.config)
    train_step = compile_train_step(network, phase, task, strategy).train_step
    train = train_step.make_train_function()
    real, one_batch = task.training(task.seed), _one_batch(task)
    sides = {
        side: strategy.experimental_distribute_dataset(shared_out(dataset))
        for side, dataset in (("real data", real), ("one batch", one_batch))
    }
    rates: dict[str, list[float]] = {side: [] for side in sides}
    steps = task.steps_per_epoch
    for dataset in sides.values():
        _epoch(train, dataset, steps, task)  # Traces, and fills what is filled once.
    images_a_second = _epoch(train, sides["one batch"], steps, task)
    steps = min(steps, max(5, int(seconds / rounds * images_a_second / task.config.pictures_per_step)))
    for _ in range(rounds):
        for side, dataset in sides.items():
            rates[side].append(_epoch(train, dataset, steps, task))
    return rates


def _one_batch(task: Task) -> tf.data.Dataset:
    """As many batches as an epoch has, the last as small as there, all from the first one."""
    import tensorflow as tf

    image_BHWC, mask_BHW = next(iter(task.training(task.seed)))
    full, rest = divmod(task.samples_per_epoch, task.config.pictures_per_step)
    batches = tf.data.Dataset.from_tensors((image_BHWC, mask_BHW)).repeat(full)
    if rest:
        batches = batches.concatenate(tf.data.Dataset.from_tensors((image_BHWC[:rest], mask_BHW[:rest])))
    return batches.prefetch(tf.data.AUTOTUNE)


def _epoch(train: Any, dataset: tf.data.Dataset, steps: int, task: Task) -> float:
    """Images a second over `steps` steps from a new iterator on."""
    began = time.monotonic()
    iterator, logs = iter(dataset), {}
    for _ in range(steps):
        logs = train(iterator)
    float(logs["loss"])  # Waits for the device.
    pictures = min(task.samples_per_epoch, steps * task.config.pictures_per_step)
    return pictures / (time.monotonic() - began)


def _delivered(task: Task) -> float:
    """Images a second of an epoch that nobody trains on."""
    dataset = task.training(task.seed)
    began = time.monotonic()
    for _ in dataset:
        pass
    return task.samples_per_epoch / (time.monotonic() - began)


def _machine() -> str:
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    return ", ".join(tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus)


if __name__ == "__main__":
    main()
