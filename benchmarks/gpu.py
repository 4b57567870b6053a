"""The training step on a GPU: images a second by precision and with XLA, beside PyTorch's U-Net of the same widths.

    python -m benchmarks.gpu [--network NAME=WIDTH,DEPTH,SIZE,BATCH …] [--seconds 5] [--torch PYTHON] [--markdown]

Ours is the trainer's own step on the network that it builds; a batch of random pixels lies in the machine's memory and
is copied to the device in each step, on both sides.  `--torch` names an interpreter that has PyTorch, which may be
another one; without it that side is left out.  Its step does the same: it scales the pixels, trains by cross-entropy
and Adam, and counts the confusion matrix; the image is channels-last.  A side and a network are a process of their own,
in which the variants follow each other; a variant that fails says why, and the next one goes on.  A figure is the
median of five rounds, which begin after the compilation (`first step`); its row goes to standard error at once, for a
compilation by XLA may take a minute.  Without a GPU the processor is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest import mock

from benchmarks.seeds.table import print_table

if TYPE_CHECKING:
    import tensorflow as tf

    from components.trainer.config import TrainerConfig

ROUNDS = 5
WARM_UP_STEPS = 5
NETWORKS = ("nuclei=16,4,128,8", "wide=64,4,256,32")
COLUMNS = ("network", "side", "variant", "images/s", "least", "most", "ms a step", "first step s", "peak GPU MB")


class Network(NamedTuple):
    """A U-Net of two classes, and what it is trained on."""

    name: str
    width: int
    depth: int
    size: int
    batch: int


class Variant(NamedTuple):
    """A way to train it."""

    name: str
    precision: str = "float32"
    xla: bool = False
    tf32: bool = True
    without: str = ""
    """What the step leaves out, to see what it costs: `metric`, or `divergence`."""


VARIANTS = (
    Variant("float32, TF32"),
    Variant("mixed_bfloat16", "mixed_bfloat16"),
    Variant("mixed_bfloat16, XLA", "mixed_bfloat16", xla=True),
    Variant("float32, TF32, XLA", xla=True),
    Variant("mixed_float16", "mixed_float16"),
    Variant("float32", tf32=False),
    Variant("mixed_bfloat16, metric not counted", "mixed_bfloat16", without="metric"),
    Variant("mixed_bfloat16, divergence not counted", "mixed_bfloat16", without="divergence"),
    Variant("mixed_float16, XLA", "mixed_float16", xla=True),
    Variant("float32, XLA", tf32=False, xla=True),
)


def main() -> None:
    """Prints a row a variant as it is measured, and all of them as a table."""
    arguments = _arguments()
    if arguments.side:
        _measure_ours(network_of(arguments.side), arguments)
        return
    rows = []
    for network in arguments.network or NETWORKS:
        rows += _rows(network_of(network), "segpipe", _ours(network, arguments))
        if arguments.torch:
            rows += _rows(network_of(network), "PyTorch", _theirs(network, arguments))
    print_table([list(COLUMNS), *rows], arguments.markdown)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", action="append", type=_checked, help=f"instead of {' and '.join(NETWORKS)}")
    parser.add_argument("--seconds", type=float, default=5, help="of training, all rounds of a variant")
    parser.add_argument("--variant", action="append", help="only variants of this name; may be given again")
    parser.add_argument("--torch", help="interpreter that has PyTorch")
    parser.add_argument("--markdown", action="store_true", help="print rows for docs/results.md")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    return parser.parse_args()


def network_of(text: str) -> Network:
    """The network that `NAME=WIDTH,DEPTH,SIZE,BATCH` says."""
    name, _, numbers = text.partition("=")
    width, depth, size, batch = map(int, numbers.split(","))
    return Network(name, width, depth, size, batch)


def _checked(text: str) -> str:
    try:
        network_of(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=WIDTH,DEPTH,SIZE,BATCH") from None
    return text


def _ours(network: str, arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    more = [word for name in arguments.variant or () for word in ("--variant", name)]
    command = ["-m", "benchmarks.gpu", "--side", network, "--seconds", str(arguments.seconds), *more]
    return _results([sys.executable, "-W", "ignore", *command], os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"})


def _theirs(network: str, arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    script = Path(__file__).with_name("torch_unet.py")
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "LD_LIBRARY_PATH")}
    return _results([arguments.torch, str(script), network, str(arguments.seconds)], environment)


def _results(command: list[str], environment: dict[str, str]) -> Iterator[dict[str, Any]]:
    """What a process says in lines of JSON, as it says it; a process that fails is told and counts for nothing more."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout
        for line in process.stdout:
            if line.startswith("{"):
                yield json.loads(line)
    if process.returncode:
        print(f"{' '.join(command)} ended with the status {process.returncode}", file=sys.stderr, flush=True)


def _rows(network: Network, side: str, results: Iterator[dict[str, Any]]) -> Iterator[list[str]]:
    shown = f"{network.name}: {network.width}, {network.depth}, {network.size}², {network.batch}"
    for result in results:
        if "error" in result:
            row = [shown, side, result["variant"], f"failed: {result['error']}", *[""] * 5]
        else:
            rates = result["images_per_second"]
            median = statistics.median(rates)
            figures = [f"{value:.1f}" for value in (median, min(rates), max(rates), 1000 * network.batch / median)]
            row = [shown, side, result["variant"], *figures, f"{result['first_step']:.1f}", f"{result['peak_mb']:.0f}"]
        print("  ".join(row), file=sys.stderr, flush=True)
        yield row


def _measure_ours(network: Network, arguments: argparse.Namespace) -> None:
    """Prints a line of JSON a variant."""
    import tf_keras as keras

    from common.compatibility import skip_autograph_for_keras

    skip_autograph_for_keras()
    for variant in VARIANTS:
        if arguments.variant and variant.name not in arguments.variant:
            continue
        keras.backend.clear_session()
        try:
            result = _measured(network, variant, arguments.seconds)
        except Exception as error:  # noqa: BLE001  # The next variant may do.
            result = {"error": f"{type(error).__name__}: {error}".split("\n")[0][:300]}
        print(json.dumps({"variant": variant.name, **result}), flush=True)


def _measured(network: Network, variant: Variant, seconds: float) -> dict[str, Any]:
    import tensorflow as tf

    from components.trainer.strategy import choose_strategy

    tf.config.experimental.enable_tensor_float_32_execution(variant.tf32)
    strategy = choose_strategy()
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        tf.config.experimental.reset_memory_stats("GPU:0")
    with _left_out(variant.without):
        step = _step(network, variant, strategy)
        began = time.monotonic()
        step()
        first = time.monotonic() - began
        rates = timed(step, network.batch, seconds)
    peak = tf.config.experimental.get_memory_info("GPU:0")["peak"] / 1e6 if gpus else 0.0
    return {"images_per_second": rates, "first_step": first, "peak_mb": peak}


def _left_out(what: str) -> ExitStack:
    """In it, the step is traced without a part of it."""
    import tensorflow as tf

    from components.trainer.divergence import NonFiniteSteps
    from components.trainer.metrics import SegmentationMetrics

    stack = ExitStack()
    if what:
        part = {"metric": SegmentationMetrics, "divergence": NonFiniteSteps}[what]
        nothing = tf.autograph.experimental.do_not_convert(lambda *arguments, **more: None)
        stack.enter_context(mock.patch.object(part, "update_state", nothing))
    return stack


def _step(network: Network, variant: Variant, strategy: tf.distribute.Strategy) -> Callable[[], float | None]:
    """Trains once on the batch; `step(wait=True)` waits for the device and returns the loss."""
    import tensorflow as tf

    from components.trainer.phases import phases
    from components.trainer.training import compile_train_step, make_network

    task = _task(network, variant)
    model = make_network(task, strategy)
    train_step = compile_train_step(model, phases(task.config)[-1], task, strategy).train_step
    train = train_step.make_train_function()
    shape = (network.batch, network.size, network.size)
    image_BHWC = tf.cast(tf.random.uniform((*shape, 3), maxval=256, dtype=tf.int32), tf.uint8)
    mask_BHW = tf.cast(tf.random.uniform(shape, maxval=2, dtype=tf.int32), tf.uint8)
    with tf.device("CPU:0"):
        dataset = tf.data.Dataset.from_tensors((tf.identity(image_BHWC), tf.identity(mask_BHW))).repeat().prefetch(2)
    iterator = iter(dataset)

    def step(wait: bool = True) -> float | None:
        logs = train(iterator)
        return float(logs["loss"]) if wait else None

    return step


def _task(network: Network, variant: Variant) -> Any:
    """The trainer's task, with nothing to read."""
    import numpy as np

    from components.trainer.losses.build_loss import build_loss
    from components.trainer.models import build_model
    from components.trainer.training import Places, Task
    from components.transform.config import TransformConfig

    config = _config(network, variant)
    transform = TransformConfig(height=network.size, width=network.size)
    constants = np.full(3, 127.0, np.float32), np.full(3, 64.0, np.float32)
    return Task(
        config=config,
        places=Places((), (), "", ""),
        num_classes=2,
        seed=0,
        train_pictures=network.batch * 100,
        eval_pictures=network.batch,
        build=lambda: build_model(config.model, transform, 2, *constants),
        loss=lambda: build_loss(config.loss, [1.0, 1.0]),
        training=lambda seed: None,
        evaluation=None,
    )


def _config(network: Network, variant: Variant) -> TrainerConfig:
    from components.trainer.config import TrainerConfig

    return TrainerConfig.model_validate(
        {
            "model": {"type": "unet", "width": network.width, "depth": network.depth},
            "batch_size": network.batch,
            "precision": variant.precision,
            "xla": variant.xla,
        }
    )


def timed(step: Callable[..., Any], batch: int, seconds: float) -> list[float]:
    """Images a second in each of the rounds, which take `seconds` together; each ends when the device has ended."""
    for _ in range(WARM_UP_STEPS):
        step()
    began = time.monotonic()
    for _ in range(WARM_UP_STEPS):
        step(wait=False)
    step()
    steps = max(3, int(seconds / ROUNDS / (time.monotonic() - began) * (WARM_UP_STEPS + 1)))
    rates = []
    for _ in range(ROUNDS):
        began = time.monotonic()
        for _ in range(steps - 1):
            step(wait=False)
        step()
        rates.append(steps * batch / (time.monotonic() - began))
    return rates


if __name__ == "__main__":
    main()
