"""The course of a training: what was reached in each epoch, which weights were best, and when to stop.

All of it is kept on disk beside Keras' own backup of model and optimiser, so that a killed training goes on where it
was with its history, its best weights and its patience.
"""

from __future__ import annotations

import json
import statistics
import time
from typing import Any

import tensorflow as tf
import tf_keras as keras

from components import progress
from components.trainer.config import TrainerConfig
from components.trainer.history import Epoch

WATCHED = "val_mean_iou"
_UPDATE_SECONDS = 0.5


class Course(keras.callbacks.Callback):
    """Records epochs, keeps the best weights by mean IoU on the eval split, and ends the training in time.

    It must come before `BackupAndRestore` in the list of callbacks: killed between the two, the epoch is done again,
    and its record is replaced.
    """

    def __init__(self, directory: str, config: TrainerConfig, steps_per_epoch: int) -> None:
        super().__init__()
        self._directory = directory
        self._config = config
        self._steps = steps_per_epoch
        self._ended = 0.0  # When the epoch before ended: the backup after it belongs to the next one's time.
        self._began = 0.0
        self._trained_seconds = 0.0
        self._last_update = 0.0
        self._milliseconds: list[float] = []
        self.epochs: list[Epoch] = []
        self.stopped = "all epochs done"

    @property
    def best(self) -> Epoch:
        """The first of the epochs with the highest mean IoU on the eval split."""
        return max(self.epochs, key=lambda epoch: epoch.metrics[WATCHED])

    @property
    def seconds(self) -> float:
        """Seconds in the training loop, over all attempts."""
        return sum(epoch.seconds for epoch in self.epochs)

    @property
    def milliseconds_per_step(self) -> float:
        """Median over this attempt's epochs after the first, in which the graph is traced."""
        return statistics.median(self._milliseconds[1:] or self._milliseconds or [0.0])

    def load_best(self) -> None:
        """Gives the model the weights of the best epoch."""
        self.model.load_weights(self._weights(self.best.epoch)).expect_partial()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Takes up the record of an earlier attempt."""
        self._ended = time.monotonic()
        if tf.io.gfile.exists(self._record):
            with tf.io.gfile.GFile(self._record) as file:
                self.epochs = [Epoch.model_validate(row) for row in json.load(file)]

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Forgets what an earlier attempt recorded of this epoch and later ones: their weights were not kept."""
        if len(self.epochs) > epoch or (epoch and not self._milliseconds):
            progress.report(f"resuming at epoch {epoch + 1} of {self._config.epochs}")
        self.epochs = self.epochs[:epoch]
        self._began = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Tells how far the epoch is."""
        now = time.monotonic()
        self._trained_seconds = now - self._began
        if now - self._last_update > _UPDATE_SECONDS and logs:
            self._last_update = now
            milliseconds = 1000 * self._trained_seconds / (batch + 1)
            progress.update(
                f"epoch {len(self.epochs) + 1}/{self._config.epochs}, step {batch + 1}/{self._steps}: "
                f"loss {logs['loss']:.3f}, IoU {logs['mean_iou']:.3f}, {milliseconds:.0f} ms a step"
            )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Records the epoch, keeps its weights if they are the best so far, and decides whether to go on."""
        metrics = {name: float(value) for name, value in (logs or {}).items() if name != "lr"}
        self._milliseconds.append(1000 * self._trained_seconds / self._steps)
        now = time.monotonic()
        row = Epoch(
            epoch=epoch + 1,
            seconds=now - self._ended,
            learning_rate=_learning_rate(self.model.optimizer),
            metrics=metrics,
        )
        self._ended = now
        self.epochs.append(row)
        if self.best is row:
            self.model.save_weights(self._weights(row.epoch))
            self._forget_older_weights()
        self._save_record()
        progress.report(
            f"epoch {row.epoch}/{self._config.epochs}: loss {metrics['loss']:.3f}, IoU {metrics['mean_iou']:.3f}; "
            f"eval loss {metrics['val_loss']:.3f}, IoU {metrics[WATCHED]:.3f}; {self._milliseconds[-1]:.0f} ms a step"
        )
        self._stop_in_time()

    def _stop_in_time(self) -> None:
        if len(self.epochs) - self.best.epoch >= self._config.patience:
            self.stopped = f"no better for {self._config.patience} epochs"
            self.model.stop_training = True
        elif self._config.max_minutes and self.seconds >= 60 * self._config.max_minutes:
            self.stopped = f"time is up after {self._config.max_minutes:g} minutes"
            self.model.stop_training = True

    @property
    def _record(self) -> str:
        return f"{self._directory}/course.json"

    def _weights(self, epoch: int) -> str:
        return f"{self._directory}/best-{epoch:05d}"

    def _save_record(self) -> None:
        temporary = f"{self._record}.new"
        with tf.io.gfile.GFile(temporary, "w") as file:
            json.dump([epoch.model_dump() for epoch in self.epochs], file)
        tf.io.gfile.rename(temporary, self._record, overwrite=True)

    def _forget_older_weights(self) -> None:
        """Deletes all but the last two: a kill before the backup of this epoch goes back to the one before."""
        prefixes = sorted({path.rsplit(".", 1)[0] for path in tf.io.gfile.glob(f"{self._directory}/best-*.index")})
        for prefix in prefixes[:-2]:
            for path in tf.io.gfile.glob(f"{prefix}.*"):
                tf.io.gfile.remove(path)


def _learning_rate(optimizer: keras.optimizers.Optimizer) -> float:
    rate = optimizer.learning_rate
    return float(rate(optimizer.iterations) if callable(rate) else rate)
