"""Trains in a process of its own: `python -m tests.support.training_driver SPECIFICATION`, a JSON file.

What it says: `train_files`, `config` (of the trainer), `transform`, `network` (a function of `tests.support.networks`,
or "" for the configured one), `resume_dir`, `out` (where the weights in the end go, as .npz), `kill_at` (the step, over
all phases, at which the process kills itself; 0 for never), `devices` (CPUs that are mirrored; 1 for what the trainer
chooses).  All classes weigh the same, so that how a batch is shared out makes no difference.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.tiny import ENVIRONMENT


def start(folder: Path, name: str, environment: dict[str, str] | None = None, **specification: Any) -> subprocess.Popen:
    """Starts a training; its output goes to `<folder>/<name>.log`, its weights to `<folder>/<name>.npz`."""
    file = folder / f"{name}.json"
    defaults = {"out": str(folder / f"{name}.npz"), "kill_at": 0, "network": "", "devices": 1}
    file.write_text(json.dumps(defaults | specification))
    with (folder / f"{name}.log").open("w") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.support.training_driver", str(file)],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**ENVIRONMENT, "CUDA_VISIBLE_DEVICES": "-1", **(environment or {})},
        )


def _main(specification: dict[str, Any]) -> None:
    strategy = _strategy(specification["devices"])
    import numpy as np

    from components.trainer import training
    from components.trainer.checkpointing import Checkpointing
    from components.trainer.config import TrainerConfig
    from components.trainer.learning_config import FineTuning
    from components.transform.config import TransformConfig
    from tests.support import networks
    from tests.support.transformed import NUM_CLASSES

    settings = dict(specification["config"])
    fine_tuning = settings.pop("fine_tuning", None)
    config = TrainerConfig(**settings).model_copy(
        update={"fine_tuning": FineTuning(**fine_tuning) if fine_tuning else None}
    )
    if specification["network"]:
        training.build_model = getattr(networks, specification["network"])
    train_phases, batch_end, steps = training.train_phases, Checkpointing.on_train_batch_end, 0

    def keep_weights(network: Any, *arguments: Any) -> Checkpointing:
        checkpointing = train_phases(network, *arguments)
        np.savez(specification["out"], *network.get_weights())
        return checkpointing

    def perhaps_die(self: Checkpointing, batch: int, logs: dict[str, Any] | None = None) -> None:
        nonlocal steps
        steps += 1
        if steps == specification["kill_at"]:
            os.kill(os.getpid(), signal.SIGKILL)
        batch_end(self, batch, logs)

    def equal_weights(*arguments: Any) -> Any:
        constants = read_constants(*arguments)
        return constants._replace(class_weight_C=np.ones_like(constants.class_weight_C))

    training.train_phases, Checkpointing.on_train_batch_end = keep_weights, perhaps_die  # type: ignore[method-assign]
    training.read_constants, read_constants = equal_weights, training.read_constants
    places = training.Places(
        specification["train_files"],
        specification["train_files"],
        specification["resume_dir"],
        specification["resume_dir"] + "/events",
    )
    result = training.train(
        config, TransformConfig(**specification["transform"]), NUM_CLASSES, 1, places, strategy=strategy
    )
    if result is not None:
        Path(specification["out"]).with_suffix(".history").write_text(result.history.model_dump_json())


def _strategy(devices: int) -> Any:
    import tensorflow as tf

    from components.trainer.strategy import choose_strategy

    if devices == 1:
        return choose_strategy()
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * devices)
    return tf.distribute.MirroredStrategy([f"CPU:{index}" for index in range(devices)])


if __name__ == "__main__":
    _main(json.loads(Path(sys.argv[1]).read_text()))
