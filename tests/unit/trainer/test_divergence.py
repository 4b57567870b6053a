"""Trainings whose loss or weights are not finite."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from components.trainer import training
from components.trainer.checkpointing import Checkpointing
from components.trainer.config import TrainerConfig
from components.trainer.divergence import Diverged, first_bad_step
from components.trainer.learning_config import FineTuning
from components.trainer.training import Places, Result, train
from components.trainer.warm_start import load_warm_start
from tests.support.networks import nested_network, tiny_config
from tests.support.transformed import NUM_CLASSES, Transformed

STEPS = 3  # An epoch's: twelve images by fours.


class Spoilt(keras.losses.Loss):
    """Cross-entropy that is `value` in the batches that are given, counted from 0, those of the evaluation included."""

    def __init__(self, steps: set[int], value: float) -> None:
        super().__init__(name="loss")
        self._steps = tf.constant(sorted(steps) or [-1], tf.int64)
        self._value = value
        self._step = tf.Variable(0, dtype=tf.int64, trainable=False)

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        loss = tf.reduce_mean(
            keras.losses.sparse_categorical_crossentropy(tf.minimum(y_true, 2), y_pred, from_logits=True)
        )
        bad = tf.reduce_any(self._steps == self._step)
        with tf.control_dependencies([bad]):
            self._step.assign_add(1)
        return tf.where(bad, loss * self._value, loss)


@pytest.fixture
def networks(monkeypatch: pytest.MonkeyPatch) -> list[keras.Model]:
    built: list[keras.Model] = []

    def build(*arguments: Any) -> keras.Model:
        built.append(nested_network(*arguments))
        return built[-1]

    monkeypatch.setattr(training, "build_model", build)
    return built


@pytest.fixture
def run(transformed: Transformed, tmp_path: Path) -> Callable[..., Result]:
    places = Places(transformed.train_files, transformed.train_files, str(tmp_path / "kept"), str(tmp_path / "events"))

    def trained(config: TrainerConfig, **changes: Any) -> Result:
        result = train(config, transformed.config, NUM_CLASSES, 1, places._replace(**changes))
        assert result is not None
        return result

    (tmp_path / "kept").mkdir()
    return trained


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Makes a weight NaN after a step of the whole training, counted from 1, as a NaN gradient would."""

    def after(step: int) -> None:
        done = 0

        def spoil(self: Checkpointing, batch: int, logs: dict[str, Any] | None = None) -> None:
            nonlocal done
            done += 1
            if done == step:
                weight = self._network.trainable_weights[0]
                weight.assign(tf.fill(weight.shape, math.nan))

        monkeypatch.setattr(Checkpointing, "on_train_batch_end", spoil)

    return after


def kept_weights(folder: Path) -> list[np.ndarray]:
    network = nested_network()
    load_warm_start(network, str(folder))
    return network.get_weights()


def test_the_first_bad_step_of_the_second_epoch_is_named_and_the_good_weights_are_kept(
    run: Callable[..., Result], networks: list[keras.Model], poison: Callable[[int], None], tmp_path: Path
) -> None:
    poison(STEPS + 1)
    with pytest.raises(Diverged) as raised:
        run(tiny_config(epochs=4, schedule="constant"))
    said = str(raised.value)
    # oneDNN's ReLU returns 0 for NaN, and the loss stays finite.
    what = "(the loss is not a number|weights of the network are not finite)"
    assert re.search(f"{what} in epoch 2 of 4, step 2 of 3, at learning rate 0.01;", said)
    assert "lower trainer.learning_rate (now 0.01), for example to 0.001" in said
    assert "trainer.clip_norm" in said
    assert "The weights of epoch 1 (eval IoU 0." in said and str(tmp_path / "kept") in said
    assert all(np.isfinite(weight).all() for weight in kept_weights(tmp_path / "kept"))


def test_a_training_goes_on_with_the_weights_that_were_kept(
    run: Callable[..., Result],
    networks: list[keras.Model],
    poison: Callable[[int], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Checkpointing, "on_train_batch_end", Checkpointing.on_train_batch_end)
        poison(STEPS + 1)
        with pytest.raises(Diverged):
            run(tiny_config(epochs=4))
    kept = kept_weights(tmp_path / "kept")
    again = {"resume_dir": str(tmp_path / "again"), "initial_model_dir": str(tmp_path / "kept")}
    network, history = run(tiny_config(epochs=1, learning_rate=1e-9), **again)
    assert len(history.epochs) == 1
    for expected, weight in zip(kept, network.get_weights(), strict=True):
        np.testing.assert_allclose(weight, expected, atol=0.2)  # The statistics of batch normalisation move on.
    resumed = run(tiny_config(epochs=4)).history  # The same command once more goes on before the epoch that diverged.
    assert [epoch.epoch for epoch in resumed.epochs] == [1, 2, 3, 4]


def test_weights_that_a_last_step_spoils_are_not_kept(
    run: Callable[..., Result], networks: list[keras.Model], poison: Callable[[int], None], tmp_path: Path
) -> None:
    poison(STEPS)
    with pytest.raises(Diverged, match=r"weights of the network are not finite in epoch 1 of 2, step 3 of 3") as raised:
        run(tiny_config(epochs=2))
    assert "No earlier epoch ended with a finite loss, so no weights are kept." in str(raised.value)
    assert not list((tmp_path / "kept").glob("best-*"))


@pytest.mark.parametrize("settings", [{}, {"accumulate": 2, "batch_size": 2}, {"average": 0.9}], ids=str)
def test_a_learning_rate_that_is_far_too_high_is_said_in_a_sentence(
    run: Callable[..., Result], networks: list[keras.Model], settings: dict[str, Any]
) -> None:
    with pytest.raises(
        Diverged, match=r"the training diverged: .* at learning rate 1e\+36; lower trainer\.learning_rate"
    ):
        run(tiny_config(epochs=3, learning_rate=1e36, optimizer="sgd", schedule="constant", **settings))


def test_in_the_second_phase_its_own_learning_rate_is_to_be_lowered(
    run: Callable[..., Result], networks: list[keras.Model]
) -> None:
    config = tiny_config(FineTuning(from_epoch=3, learning_rate=1e36), epochs=5, optimizer="sgd", schedule="constant")
    with pytest.raises(Diverged) as raised:
        run(config)
    assert "in epoch 3 of 5, step 2 of 3, at learning rate 1e+36" in str(raised.value)
    assert "lower trainer.fine_tuning.learning_rate (now 1e+36)" in str(raised.value)
    assert "eval IoU" in str(raised.value)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_before_any_step_is_not_the_learning_rates_fault(
    run: Callable[..., Result], networks: list[keras.Model], monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    monkeypatch.setattr(training, "build_loss", lambda *_: Spoilt(set(range(99)), value))
    shown = "not a number" if math.isnan(value) else "infinite"
    with pytest.raises(Diverged, match=f"the loss is {shown} in epoch 1 of 3, step 1 of 3") as raised:
        run(tiny_config(epochs=3))
    assert "no step had changed the weights yet" in str(raised.value)


def test_what_loss_scaling_skips_does_not_end_the_training_and_is_told(
    run: Callable[..., Result],
    networks: list[keras.Model],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(training, "build_loss", lambda *_: Spoilt({2 * STEPS + 1}, math.inf))
    with caplog.at_level("INFO", logger="segpipe.progress"):
        history = run(tiny_config(epochs=3, precision="mixed_float16")).history
    assert [epoch.nonfinite_steps for epoch in history.epochs] == [0, 1, 0]
    assert history.epochs[1].metrics["loss"] is None and history.epochs[2].metrics["loss"] is not None
    assert "in 1 step the loss was not finite, and loss scaling skipped them" in caplog.text
    assert type(history).model_validate_json(history.model_dump_json()) == history


def test_an_epoch_whose_evaluation_is_not_finite_is_never_the_best(
    run: Callable[..., Result],
    networks: list[keras.Model],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    honest = Checkpointing.on_epoch_end

    def spoil(self: Checkpointing, epoch: int, logs: dict[str, Any] | None = None) -> None:
        better = {"val_loss": math.nan, "val_mean_iou": 0.99} if epoch == 1 else {}
        honest(self, epoch, {**(logs or {}), **better})

    monkeypatch.setattr(Checkpointing, "on_epoch_end", spoil)
    with caplog.at_level("INFO", logger="segpipe.progress"):
        history = run(tiny_config(epochs=3)).history
    assert history.best_epoch != 2 and history.epochs[1].metrics["val_loss"] is None
    assert "eval loss not finite, IoU 0.990" in caplog.text and "not a candidate for the best epoch" in caplog.text


def test_a_training_without_any_finite_evaluation_gives_no_model(
    run: Callable[..., Result], networks: list[keras.Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Checkpointing.on_epoch_end
    monkeypatch.setattr(
        Checkpointing,
        "on_epoch_end",
        lambda self, epoch, logs=None: honest(self, epoch, {**logs, "val_loss": math.inf}),
    )
    with pytest.raises(Diverged, match="the loss on the eval split was not finite after any of 2 epochs"):
        run(tiny_config(epochs=2))


@pytest.mark.parametrize(
    ("steps", "bad", "replicas", "first"),
    [(5, 1, 1, 5), (5, 5, 1, 1), (5, 3, 2, 4), (5, 4, 2, 4), (5, 9, 2, 1), (5, 10, 2, 1), (7, 0, 1, 7)],
)
def test_the_first_bad_step_follows_from_how_many_were_bad(steps: int, bad: int, replicas: int, first: int) -> None:
    assert first_bad_step(steps, bad, replicas) == first
