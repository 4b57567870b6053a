"""Checkpointing and early stopping: metrics of each epoch, the best weights, and when to stop.

The state is kept on disk beside Keras' own backup of model and optimiser, so that an interrupted training resumes
with its history, its best weights and its patience.
"""

from __future__ import annotations

import json
import math
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tf_keras as keras

from common import progress
from common.plurals import counted
from components.trainer.config import TrainerConfig
from components.trainer.divergence import NONFINITE_STEPS, Diverged
from components.trainer.history import Epoch
from components.trainer.phases import phases

MONITOR = "val_mean_iou"
_UPDATE_SECONDS = 0.5
_RECORD = "course.json"


class Checkpointing(keras.callbacks.Callback):
    """Callback that records epochs, keeps the best weights by mean IoU on the eval split, and stops early.

    One instance is used in all phases.  It must come before `BackupAndRestore` in the list of callbacks: if killed
    between the two, the epoch is repeated and its record replaced.
    """

    def __init__(
        self,
        network: keras.Model,
        directory: str,
        config: TrainerConfig,
        steps_per_epoch: int,
        keeps: bool = True,
        all_reduce: Callable[[float], float] = float,
        until: int | None = None,
    ) -> None:
        """Loads the record of an earlier attempt.

        Args:
            network: The network whose weights are kept.
            directory: Folder of records and weights.
            config: Configuration of the training.
            steps_per_epoch: Optimiser steps per epoch.
            keeps: False on a worker that is not the chief.  It must save too, because reading the statistics of batch
                normalisation involves all workers, but saves to a temporary folder.
            all_reduce: Returns the mean of a value over all workers (all-reduce).
            until: Epoch after which training pauses, to be resumed later; `None` to train to the end.
        """
        super().__init__()
        self._supports_tf_logs = True  # Otherwise Keras would wait for the device after each step to convert the logs.
        self._network = network
        self._config = config
        self._steps = steps_per_epoch
        self._all_reduce = all_reduce
        self._last = config.epochs if until is None else min(until, config.epochs)
        # Early stopping applies only in the last phase; earlier phases run to their end.
        self._patient_from = phases(config)[-1].begin
        self._ended = 0.0  # End of the previous epoch: the backup after it counts as time of the next one.
        self._began = 0.0
        self._trained_seconds = 0.0
        self._last_update = 0.0
        self._milliseconds: list[float] = []
        self._traced = False
        self.epochs = _read(directory)
        self._scratch = None if keeps else tempfile.TemporaryDirectory()
        self._directory = directory if self._scratch is None else self._scratch.name

    @property
    def best(self) -> Epoch:
        """The first of the epochs with the highest mean IoU on the eval split."""
        return max(self.epochs, key=lambda epoch: epoch.score)

    @property
    def kept(self) -> str:
        """A sentence that says which weights are kept."""
        if not self.epochs or self.best.score == -math.inf:
            return "No earlier epoch ended with a finite loss, so no weights are kept."
        best = self.best
        return (
            f"The weights of epoch {best.epoch} (eval IoU {best.score:.3f}) are kept: "
            f"to start from them, set trainer.warm_start to {self._directory}"
        )

    @property
    def seconds(self) -> float:
        """Seconds in the training loop, over all attempts."""
        return sum(epoch.seconds for epoch in self.epochs)

    @property
    def milliseconds_per_step(self) -> float:
        """Median over this attempt's epochs, without the first of each phase, in which the graph is traced."""
        return statistics.median(self._milliseconds or [1000 * self._trained_seconds / self._steps])

    @property
    def finished(self) -> bool:
        """Whether training has finished."""
        return len(self.epochs) >= self._last or self._reason_to_stop() is not None

    @property
    def stopped(self) -> str:
        """Why the training ended."""
        return self._reason_to_stop() or "all epochs done"

    def load_best(self, network: keras.Model) -> None:
        """Loads the weights of the best epoch into a network of the same architecture.

        Raises:
            Diverged: there is none.
        """
        if self.best.score == -math.inf:
            raise Diverged(
                f"the loss on the eval split was not finite after any of {counted(len(self.epochs), 'epoch')}, so "
                "there is no model to keep: lower trainer.learning_rate, or compute in float32 (trainer.precision)"
            )
        network.load_weights(self._weights(self.best.epoch)).expect_partial()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Starts a phase."""
        self._ended = time.monotonic()
        self._traced = False

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Drops an earlier attempt's records of this epoch and later ones, whose weights were not kept."""
        if len(self.epochs) > epoch or (epoch and not self._trained_seconds):
            progress.report(f"resuming at epoch {epoch + 1} of {self._config.epochs}")
        self.epochs = self.epochs[:epoch]
        self._began = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Reports the progress of the epoch."""
        now = time.monotonic()
        if now - self._last_update > _UPDATE_SECONDS and logs:
            self._last_update = now
            milliseconds = 1000 * (now - self._began) / (batch + 1)
            progress.update(
                f"epoch {len(self.epochs) + 1}/{self._config.epochs}, step {batch + 1}/{self._steps}: "
                f"loss {logs['loss']:.3f}, IoU {logs['mean_iou']:.3f}, {milliseconds:.0f} ms a step"
            )

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Records the duration of the epoch's steps; the device has finished them by now."""
        self._trained_seconds = time.monotonic() - self._began

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Records the epoch, keeps its weights if they are the best so far, and decides whether to stop."""
        figures = {name: float(value) for name, value in (logs or {}).items() if name != "lr"}
        nonfinite_steps = round(figures.pop(NONFINITE_STEPS, 0.0))
        # Evaluated too, though it says nothing there: without one of its metrics, Keras would add up the results of
        # several workers, and `val_mean_iou` of two would be twice its value.
        figures.pop(f"val_{NONFINITE_STEPS}", None)
        metrics = {name: value if math.isfinite(value) else None for name, value in figures.items()}
        milliseconds = 1000 * self._trained_seconds / self._steps
        if self._traced:
            self._milliseconds.append(milliseconds)
        self._traced = True
        now = time.monotonic()
        row = Epoch(
            epoch=epoch + 1,
            seconds=self._all_reduce(now - self._ended),
            milliseconds_per_step=milliseconds,
            learning_rate=_learning_rate(self.model.optimizer),
            metrics=metrics,
            nonfinite_steps=nonfinite_steps,
        )
        self._ended = now
        self.epochs.append(row)
        if self.best is row and row.score > -math.inf:
            self._network.save_weights(self._weights(row.epoch))
            self._forget_older_weights()
        self._save_record()
        progress.report(_told(row, self._config.epochs))
        if self.finished:
            self.model.stop_training = True

    def _reason_to_stop(self) -> str | None:
        if not self.epochs:
            return None
        if len(self.epochs) - max(self.best.epoch, self._patient_from) >= self._config.patience:
            return f"no better for {counted(self._config.patience, 'epoch')}"
        if self._config.max_minutes and self.seconds >= 60 * self._config.max_minutes:
            return f"time is up after {counted(self._config.max_minutes, 'minute')}"
        return None

    def _weights(self, epoch: int) -> str:
        return f"{self._directory}/best-{epoch:05d}"

    def _save_record(self) -> None:
        record = f"{self._directory}/{_RECORD}"
        temporary = f"{record}.new"
        with tf.io.gfile.GFile(temporary, "w") as file:
            json.dump([epoch.model_dump() for epoch in self.epochs], file)
        tf.io.gfile.rename(temporary, record, overwrite=True)

    def _forget_older_weights(self) -> None:
        """Deletes all but the last two: a kill before the backup of this epoch falls back to the previous one."""
        prefixes = sorted({path.rsplit(".", 1)[0] for path in tf.io.gfile.glob(f"{self._directory}/best-*.index")})
        for prefix in prefixes[:-2]:
            for path in tf.io.gfile.glob(f"{prefix}.*"):
                tf.io.gfile.remove(path)


def _read(directory: str) -> list[Epoch]:
    """Loads the epochs that an earlier attempt recorded."""
    record = f"{directory}/{_RECORD}"
    if not tf.io.gfile.exists(record):
        return []
    with tf.io.gfile.GFile(record) as file:
        return [Epoch.model_validate(row) for row in json.load(file)]


def _learning_rate(optimizer: keras.optimizers.Optimizer) -> float:
    """The learning rate of the last step."""
    return float(tf.convert_to_tensor(optimizer.learning_rate))


def _told(row: Epoch, epochs: int) -> str:
    """Formats an epoch on one line."""
    figures = {name: _shown(row.metrics.get(name)) for name in ("loss", "mean_iou", "val_loss", MONITOR)}
    line = (
        f"epoch {row.epoch}/{epochs}: loss {figures['loss']}, IoU {figures['mean_iou']}; "
        f"eval loss {figures['val_loss']}, IoU {figures[MONITOR]}; {row.milliseconds_per_step:.0f} ms a step"
    )
    if row.nonfinite_steps:
        line += f"; in {counted(row.nonfinite_steps, 'step')} the loss was not finite, and loss scaling skipped them"
    return line if row.score > -math.inf else f"{line}; not a candidate for the best epoch"


def _shown(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.3f}"
