"""Trainings in processes of their own: real kills, fresh starts, several devices and several workers."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.trainer.history import TrainingHistory
from components.transform.config import TransformConfig
from tests.support.tiny import ENVIRONMENT
from tests.support.training_driver import start
from tests.support.transformed import Transformed, make_pair, run_transform

PLAIN = {"batch_size": 4, "epochs": 3, "learning_rate": 0.01, "augmentation": {"flip_horizontal": True}}
TWO_PHASES = {**PLAIN, "epochs": 4, "fine_tuning": {"from_epoch": 3, "learning_rate": 0.001}}
ALIKE = {"flip_horizontal": False}
"""No augmentation, which each worker draws for its own images."""
SECONDS = 300


class Trainings:
    """Trainings in one folder."""

    def __init__(self, transformed: Transformed, folder: Path) -> None:
        self._transformed = transformed
        self.folder = folder

    def start(self, name: str, resume: str = "", environment: dict[str, str] | None = None, **changes: Any) -> Any:
        """Starts one; `resume` names the folder that it shares with others, else it has its own."""
        resume_dir = self.folder / (resume or f"{name}-resume")
        resume_dir.mkdir(exist_ok=True)
        defaults = {
            "train_files": self._transformed.train_files,
            "transform": self._transformed.config.model_dump(),
            "network": "plain_network",
            "config": PLAIN,
            "resume_dir": str(resume_dir),
        }
        return start(self.folder, name, environment, **defaults | changes)

    def weights(self, name: str, process: subprocess.Popen) -> list[np.ndarray]:
        """Those that it ended with."""
        assert process.wait(SECONDS) == 0, self.log(name)
        with np.load(self.folder / f"{name}.npz") as stored:
            return [stored[key] for key in stored.files]

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()[-3000:]

    def history(self, name: str) -> TrainingHistory:
        return TrainingHistory.model_validate_json((self.folder / f"{name}.history").read_text())


@pytest.fixture
def trainings(transformed: Transformed, tmp_path: Path) -> Trainings:
    return Trainings(transformed, tmp_path)


def assert_same(one: list[np.ndarray], other: list[np.ndarray], tolerance: float = 0.0) -> None:
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.slow
@pytest.mark.parametrize(("step", "epoch"), [(5, 2), (8, 3), (11, 4)])
def test_a_process_that_is_killed_goes_on_where_it_was(trainings: Trainings, step: int, epoch: int) -> None:
    two_phases = {"resume": "shared", "network": "nested_network", "config": TWO_PHASES}
    killed = trainings.start("killed", **two_phases, kill_at=step)
    assert killed.wait(SECONDS) == -signal.SIGKILL, trainings.log("killed")
    record = json.loads((trainings.folder / "shared" / "course.json").read_text())
    assert len(record) == epoch - 1
    again = trainings.start("again", **two_phases)
    trainings.weights("again", again)
    assert [row.epoch for row in trainings.history("again").epochs] == [1, 2, 3, 4]
    assert [row.seconds for row in trainings.history("again").epochs][: epoch - 1] == [row["seconds"] for row in record]


@pytest.mark.slow
@pytest.mark.parametrize("cache_bytes", [2_000_000_000, 1], ids=["held in memory", "read in pieces"])
def test_a_training_on_windows_that_is_killed_goes_on_where_it_was(tmp_path: Path, cache_bytes: int) -> None:
    pairs = [make_pair(index, 40 + 10 * index, 90 - 12 * index) for index in range(5)]
    crop = TransformConfig(mode="crop", height=32, width=32)
    trainings = Trainings(run_transform(pairs, crop, tmp_path / "native"), tmp_path)
    config = {**PLAIN, "windows": {"per_epoch": 8}, "cache_bytes": cache_bytes}
    killed = trainings.start("killed", resume="shared", config=config, kill_at=4)  # In the second epoch of two steps.
    assert killed.wait(SECONDS) == -signal.SIGKILL, trainings.log("killed")
    [first] = json.loads((trainings.folder / "shared" / "course.json").read_text())
    trainings.weights("again", trainings.start("again", resume="shared", config=config))
    epochs = trainings.history("again").epochs
    assert [row.epoch for row in epochs] == [1, 2, 3]
    assert epochs[0].seconds == first["seconds"]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights_in_every_process(trainings: Trainings) -> None:
    config = {**PLAIN, "model": {"type": "unet", "width": 4, "depth": 2, "dropout": 0.2}, "deterministic": True}
    one, other = (trainings.start(name, network="", config=config) for name in ("one", "other"))
    assert_same(trainings.weights("one", one), trainings.weights("other", other))
    assert trainings.history("one").epochs[-1].metrics == trainings.history("other").epochs[-1].metrics


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, {"accumulate": 2, "average": 0.9}, {"xla": True}], ids=str)
def test_two_devices_make_the_steps_of_one(trainings: Trainings, changes: dict[str, Any]) -> None:
    config = {**PLAIN, **changes}
    one = trainings.start("one", config=config)
    two = trainings.start("two", config=config, devices=2)
    assert_same(trainings.weights("one", one), trainings.weights("two", two), tolerance=1e-4)
    for a, b in zip(trainings.history("one").epochs, trainings.history("two").epochs, strict=True):
        assert a.metrics == pytest.approx(b.metrics, rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("network", ["plain_network", "nested_network"])
def test_two_workers_end_with_equal_weights_and_one_model(trainings: Trainings, network: str) -> None:
    changes = {"network": network, "config": {**PLAIN, "average": 0.9, "max_minutes": 60, "augmentation": ALIKE}}
    workers = [
        trainings.start(f"worker-{index}", resume="shared", environment=environment, **changes)
        for index, environment in enumerate(cluster(2))
    ]
    weights = [trainings.weights(f"worker-{index}", worker) for index, worker in enumerate(workers)]
    assert_same(*weights)
    assert not (trainings.folder / "worker-1.history").exists()
    history = trainings.history("worker-0")
    assert len(history.epochs) == 3
    if network == "plain_network":
        alone = trainings.start("alone", **changes)
        assert_same(weights[0], trainings.weights("alone", alone), tolerance=1e-4)
        assert history.epochs[-1].metrics == pytest.approx(trainings.history("alone").epochs[-1].metrics, rel=1e-3)


@pytest.mark.slow
def test_workers_take_their_batches_of_an_epoch_without_waiting_for_each_other() -> None:
    command = [sys.executable, "-m", "tests.support.worker_input_driver", "13", "4", "8"]
    workers = [
        subprocess.Popen(command, stdout=subprocess.PIPE, env={**ENVIRONMENT, "CUDA_VISIBLE_DEVICES": "-1", **one})
        for one in cluster(2)
    ]
    told = [json.loads(worker.communicate(timeout=SECONDS)[0]) for worker in workers]
    assert [worker["collectives"] for worker in told] == [[], []]
    assert told[0]["batches"] == 2 * [[0, 2], [4, 6], [8, 10], [12]]
    assert told[1]["batches"] == 2 * [[1, 3], [5, 7], [9, 11], []]


@pytest.mark.slow
def test_workers_that_are_killed_go_on_together(trainings: Trainings) -> None:
    changes = {"resume": "shared", "network": "nested_network", "config": TWO_PHASES}
    killed = [trainings.start(f"killed-{i}", environment=e, **changes, kill_at=8) for i, e in enumerate(cluster(2))]
    for process in killed:
        process.wait(SECONDS)
    again = [trainings.start(f"again-{i}", environment=e, **changes) for i, e in enumerate(cluster(2))]
    assert_same(*(trainings.weights(f"again-{index}", process) for index, process in enumerate(again)))
    assert [row.epoch for row in trainings.history("again-0").epochs] == [1, 2, 3, 4]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_where_a_training_diverges_all_devices_and_workers_end_with_the_same_sentence(
    trainings: Trainings, workers: int
) -> None:
    config = {**PLAIN, "learning_rate": 1e36, "optimizer": "sgd", "schedule": "constant"}
    environments = cluster(2) if workers == 2 else [None]
    ended = [
        trainings.start(f"worker-{i}", "shared", environment, config=config, devices=1 if workers == 2 else 2)
        for i, environment in enumerate(environments)
    ]
    for index, process in enumerate(ended):
        assert process.wait(SECONDS) not in (0, -signal.SIGKILL)
        log = trainings.log(f"worker-{index}")
        assert re.search(r"the training diverged: .* in epoch 1 of 3, step \d of 3, at learning rate 1e\+36", log), log
    assert not list((trainings.folder / "shared").glob("best-*"))


def cluster(workers: int) -> list[dict[str, str]]:
    """The environment of each worker, all on this machine."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(workers)]
    addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    tasks = [{"cluster": {"worker": addresses}, "task": {"type": "worker", "index": i}} for i in range(workers)]
    return [{"TF_CONFIG": json.dumps(task)} for task in tasks]
