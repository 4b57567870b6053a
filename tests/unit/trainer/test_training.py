"""Whole trainings of small networks: phases, kills, averages, precision."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from common.errors import UserError
from components.trainer import training
from components.trainer.checkpointing import Checkpointing
from components.trainer.config import TrainerConfig
from components.trainer.input_pipeline import evaluation_dataset
from components.trainer.learning_config import FineTuning
from components.trainer.losses.build_loss import build_loss
from components.trainer.losses.config import CrossEntropyTerm
from components.trainer.metrics import SegmentationMetrics
from components.trainer.sharing import Share
from components.trainer.training import Places, Result, train
from components.transform.config import TransformConfig
from components.transform.pixel_format import PixelFormat
from tests.support.networks import nested_network, plain_network, tiny_config
from tests.support.transformed import NUM_CLASSES, Transformed

TWO_PHASES = tiny_config(FineTuning(from_epoch=3, learning_rate=0.001), epochs=5, schedule="constant")
STEPS = 3  # An epoch's: twelve pictures by fours.


class Killed(BaseException):
    """What no code catches."""


@pytest.fixture
def nested(monkeypatch: pytest.MonkeyPatch) -> list[keras.Model]:
    """The small network on an encoder instead of the configured one; holds those that were built."""
    built: list[keras.Model] = []

    def build(*arguments: Any) -> keras.Model:
        built.append(nested_network(*arguments))
        return built[-1]

    monkeypatch.setattr(training, "build_model", build)
    return built


@pytest.fixture
def run(transformed: Transformed, tmp_path: Path) -> Callable[..., Result]:
    """Trains in the test's folder."""
    places = Places(transformed.train_files, transformed.train_files, str(tmp_path), str(tmp_path / "events"))

    def trained(config: TrainerConfig, until: int | None = None, **changes: Any) -> Result:
        result = train(config, transformed.config, NUM_CLASSES, 1, places._replace(**changes), until=until)
        assert result is not None
        return result

    return trained


def kill_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Ends the process, as far as a training can tell, in its step `step`, counted from 1."""
    steps = 0

    def die(self: Checkpointing, batch: int, logs: dict[str, Any] | None = None) -> None:
        nonlocal steps
        steps += 1
        if steps == step:
            raise Killed

    monkeypatch.setattr(Checkpointing, "on_train_batch_end", die)


def evaluated(network: keras.Model, transformed: Transformed) -> dict[str, float]:
    network.compile(
        loss=build_loss([CrossEntropyTerm()], np.ones(NUM_CLASSES)), metrics=[SegmentationMetrics(NUM_CLASSES)]
    )
    dataset = evaluation_dataset(transformed.train_files, 4, transformed.config)
    return network.evaluate(dataset, verbose=0, return_dict=True)


def test_the_best_epoch_is_what_comes_out(run: Callable[..., Result], transformed: Transformed) -> None:
    network, history = run(tiny_config(epochs=4))
    ious = [epoch.metrics["val_mean_iou"] for epoch in history.epochs]
    assert len(ious) == 4
    assert history.best_epoch == 1 + int(np.argmax(ious))
    assert evaluated(network, transformed)["mean_iou"] == pytest.approx(max(ious), abs=1e-6)
    assert history.parameters == sum(np.prod(weight.shape) for weight in network.trainable_weights)


def test_the_encoder_rests_first_and_its_normalisation_always(
    run: Callable[..., Result], nested: list[keras.Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    kernels = []

    def look(self: Checkpointing, logs: dict[str, Any] | None = None) -> None:
        encoder = nested[0].get_layer("encoder")
        kernels.append((encoder.get_layer("conv").get_weights(), encoder.get_layer("norm").get_weights()))

    monkeypatch.setattr(Checkpointing, "on_train_end", look)
    _, history = run(TWO_PHASES)
    (resting, norm), (trained, norm_later) = kernels
    fresh = nested_network().get_layer("encoder").get_layer("norm").get_weights()
    np.testing.assert_array_equal(norm, fresh)
    np.testing.assert_array_equal(norm_later, fresh)
    assert np.abs(resting[0] - trained[0]).max() > 0
    assert [epoch.learning_rate for epoch in history.epochs] == pytest.approx([0.01, 0.01, 0.001, 0.001, 0.001])
    assert [epoch.epoch for epoch in history.epochs] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("step", [1, STEPS + 2, 2 * STEPS + 1, 4 * STEPS + 2])
def test_a_kill_in_either_phase_goes_on_in_it(
    run: Callable[..., Result],
    nested: list[keras.Model],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    step: int,
) -> None:
    with monkeypatch.context() as patch:
        kill_at(patch, step)
        with pytest.raises(Killed):
            run(TWO_PHASES)
    caplog.clear()  # What the killed attempt reported, if another test has left the logger talkative.
    with caplog.at_level("INFO", logger="segpipe.progress"):
        _, history = run(TWO_PHASES)
    assert [epoch.epoch for epoch in history.epochs] == [1, 2, 3, 4, 5]
    killed_in = (step - 1) // STEPS + 1
    assert caplog.text.count("eval loss") == 6 - killed_in
    if killed_in > 1:
        assert f"resuming at epoch {killed_in} of 5" in caplog.text


def test_the_optimiser_goes_on_with_its_state_even_after_two_kills(
    run: Callable[..., Result], nested: list[keras.Model], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tiny_config(epochs=4, optimizer="adamw", average=0.9)

    def in_order(
        files: list[str], config: TrainerConfig, transform: TransformConfig, seed: int, pixels: PixelFormat, _: Share
    ) -> tf.data.Dataset:
        """The same batches in each epoch, so that nothing but a lost state can make a difference."""
        return evaluation_dataset(files, config.batch_size, transform, pixels=pixels)

    monkeypatch.setattr(training, "training_dataset", in_order)
    for step in (STEPS + 2, STEPS + 1):  # In epochs 2 and 3: the second attempt begins with epoch 2.
        with monkeypatch.context() as patch:
            kill_at(patch, step)
            with pytest.raises(Killed):
                run(config)
    resumed = run(config).history
    undisturbed = run(config, resume_dir=str(tmp_path / "undisturbed")).history
    for one, other in zip(resumed.epochs, undisturbed.epochs, strict=True):
        assert one.metrics == pytest.approx(other.metrics, rel=1e-4)
        assert one.learning_rate == pytest.approx(other.learning_rate)


def test_a_training_that_has_ended_is_not_gone_on_with(
    run: Callable[..., Result], nested: list[keras.Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_config(epochs=9, patience=1, learning_rate=1e-9)
    first = run(config).history
    assert first.stopped == "no better for 1 epoch"
    kill_at(monkeypatch, 1)
    assert run(config).history.epochs == first.epochs


def test_patience_waits_for_the_last_phase(run: Callable[..., Result], nested: list[keras.Model]) -> None:
    config = tiny_config(FineTuning(from_epoch=4, learning_rate=1e-9), epochs=9, patience=1, learning_rate=1e-9)
    assert len(run(config).history.epochs) == 4


def test_time_ends_any_phase(run: Callable[..., Result], nested: list[keras.Model]) -> None:
    history = run(TWO_PHASES.model_copy(update={"max_minutes": 1e-6})).history
    assert len(history.epochs) == 1
    assert history.stopped.startswith("time is up")


def test_a_plateau_lowers_the_step_size(run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "build_model", plain_network)
    plateau = {"type": "plateau", "patience": 1, "factor": 0.5}
    history = run(tiny_config(epochs=4, learning_rate=1e-9, schedule=plateau)).history
    rates = [epoch.learning_rate for epoch in history.epochs]
    assert rates == pytest.approx([1e-9, 1e-9, 5e-10, 2.5e-10])


def test_the_average_is_what_is_evaluated_and_kept(
    run: Callable[..., Result], nested: list[keras.Model], transformed: Transformed, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = []

    def look(self: Checkpointing, logs: dict[str, Any] | None = None) -> None:
        raw.append(self._network.get_weights())

    monkeypatch.setattr(Checkpointing, "on_train_end", look)
    network, history = run(tiny_config(epochs=3, average=0.9, learning_rate=0.05))
    best = history.epochs[history.best_epoch - 1].metrics
    assert evaluated(network, transformed)["mean_iou"] == pytest.approx(best["val_mean_iou"], abs=1e-6)
    assert any(np.abs(a - b).max() > 1e-4 for a, b in zip(raw[0], network.get_weights(), strict=True))


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_ends_in_float32(
    run: Callable[..., Result], nested: list[keras.Model], transformed: Transformed, precision: str
) -> None:
    network, history = run(tiny_config(epochs=4, precision=precision))
    assert nested[0].get_layer("encoder").get_layer("conv").compute_dtype == precision.removeprefix("mixed_")
    assert network.get_layer("encoder").get_layer("conv").compute_dtype == "float32"
    assert keras.mixed_precision.global_policy().name == "float32"
    assert history.epochs[-1].metrics["loss"] < history.epochs[0].metrics["loss"]
    best = history.epochs[history.best_epoch - 1].metrics
    assert evaluated(network, transformed)["mean_iou"] == pytest.approx(best["val_mean_iou"], abs=0.02)


def test_accumulated_batches_are_fewer_steps(run: Callable[..., Result], nested: list[keras.Model]) -> None:
    history = run(tiny_config(epochs=1, batch_size=2, accumulate=3, xla=True)).history
    assert history.train_pictures == 12
    assert np.isfinite(history.epochs[0].metrics["loss"])


def test_a_batch_larger_than_the_data_is_one_step(run: Callable[..., Result], nested: list[keras.Model]) -> None:
    assert len(run(tiny_config(epochs=2, batch_size=64)).history.epochs) == 2


def test_an_empty_eval_split_is_told(run: Callable[..., Result], tmp_path: Path) -> None:
    empty = str(tmp_path / "empty.gz")
    tf.io.TFRecordWriter(empty, "GZIP").close()
    with pytest.raises(UserError, match="the eval split is empty"):
        run(tiny_config(), eval_files=[empty])


def test_a_training_rests_and_goes_on_with_the_schedule_of_the_whole(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    config = tiny_config(epochs=3)
    assert [epoch.epoch for epoch in run(config, until=1).history.epochs] == [1]
    assert [epoch.epoch for epoch in run(config, until=1).history.epochs] == [1]
    resumed = run(config).history.epochs
    undisturbed = run(config, resume_dir=str(tmp_path / "other")).history.epochs
    assert [epoch.epoch for epoch in resumed] == [1, 2, 3]
    assert [epoch.learning_rate for epoch in resumed] == [epoch.learning_rate for epoch in undisturbed]
