"""The search: trains trials one after the other, and keeps records for resuming.

KerasTuner's own tuners build and save Keras 3 models; ours are tf_keras models, trained by the code that trains the
final one.  So only its oracle and loop are used, which do not depend on models.  KerasTuner's
files are not used: they are not written atomically.  A resumed search makes the same choices
again, and takes the results of finished trials from their records.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator
from typing import Any, Protocol

import keras_tuner
import tensorflow as tf
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.trial import Trial as KerasTrial

from common import progress
from common.errors import UserError
from common.plurals import counted
from components.trainer.config import TrainerConfig
from components.trainer.divergence import Diverged
from components.trainer.hyperparameters import described, searched
from components.tuner.config import TunerConfig
from components.tuner.oracle import OBJECTIVE, BoundedHyperband
from components.tuner.result import SearchResult, Trial

_TRAINING = "training-"
_FAILURES = 3
"""Number of consecutive out-of-memory trials after which the search stops."""
_DIVERGED = 12
"""Number of consecutive diverged trials after which it stops: they are short, and another learning rate may work."""


class Train(Protocol):
    """Trains, resuming from a folder."""

    def __call__(self, config: TrainerConfig, resume_dir: str, until: int) -> float:
        """The best epoch's mean IoU on the eval split."""


class Search(BaseTuner):
    """Hyperband search over complete trainings."""

    def __init__(
        self, config: TunerConfig, trainer: TrainerConfig, seed: int, train: Train, folder: str, scratch: str
    ) -> None:
        """Loads the records of an earlier attempt.

        Args:
            config: The search space.
            trainer: Configuration of the training.
            seed: Seed of the values that are drawn.
            train: Trains one trial.
            folder: Existing folder for records and weights until the search ends.
            scratch: Folder for KerasTuner's files, which are not read.
        """
        self.folder = folder
        self._config = config
        self._trainer = trainer
        self._train = train
        self._records = {record.number: record for record in _read(folder)}
        self._ended: list[Trial] = []
        oracle = BoundedHyperband(config, seed, lambda: sum(trial.seconds for trial in self._ended))
        super().__init__(oracle=oracle, directory=scratch, project_name="search", overwrite=True)

    @property
    def result(self) -> SearchResult:
        """Returns all finished trials.

        Raises:
            UserError: none could be trained.
        """
        best = self._best()
        if best is None:
            raise self._given_up()
        return SearchResult(best=best.number, trials=tuple(self._ended))

    def on_search_begin(self) -> None:
        """Reports the size of the search."""
        if self._records:
            progress.report(f"resuming the search after {len(self._records)} of {self.oracle.max_trials} trials")

    def run_trial(self, trial: KerasTrial, **_: Any) -> dict[str, float]:
        """Trains a trial, unless an earlier attempt did.

        Raises:
            FailedTrialError: out of memory, or the training diverged; the search continues.
            FatalError: any other error, or repeated failures; the search ends.
        """
        number = int(trial.trial_id) + 1
        record = self._records.get(number)
        if record is None:
            record = self._trained(trial, number)
            _write(self.folder, record)
            self._ended.append(record)
            self._report(record)
        else:
            self._ended.append(record)
        if record.mean_iou is None:
            if self._hopeless():
                raise keras_tuner.errors.FatalError(record.failure) from self._given_up()
            raise keras_tuner.errors.FailedTrialError(record.failure)
        return {OBJECTIVE: record.mean_iou}

    def _trained(self, trial: KerasTrial, number: int) -> Trial:
        values = trial.hyperparameters.values
        chosen = dict(searched({"values": values}))
        self._forget_ended_brackets(trial)
        began = time.monotonic()
        mean_iou, failure, diverged = None, "", False
        with progress.part(f"trial {number} of {self.oracle.max_trials}"):
            progress.update(described(chosen))
            try:
                resume_dir = os.path.join(self.folder, self._training(trial))
                tf.io.gfile.makedirs(resume_dir)
                mean_iou = self._train(self._config.trial(self._trainer, chosen), resume_dir, values["tuner/epochs"])
            except tf.errors.ResourceExhaustedError as error:
                failure = f"out of memory with {described(chosen)} ({str(error).partition(chr(10))[0]})"
            except Diverged as error:
                diverged, failure = True, f"{str(error).partition(';')[0]}, with {described(chosen)}"
            except Exception as error:  # KerasTuner would treat any error as the trial's failure, and continue.
                raise keras_tuner.errors.FatalError(str(error)) from error
        return Trial(
            number=number,
            values=chosen,
            continues=int(values["tuner/trial_id"]) + 1 if "tuner/trial_id" in values else None,
            epochs=values["tuner/epochs"],
            mean_iou=mean_iou,
            seconds=time.monotonic() - began,
            failure=failure,
            diverged=diverged,
        )

    def _hopeless(self) -> bool:
        """Returns whether too many consecutive trials have failed to continue."""
        failed = list(itertools.takewhile(lambda trial: trial.mean_iou is None, reversed(self._ended)))
        exhausted = list(itertools.takewhile(lambda trial: not trial.diverged, failed))
        return len(exhausted) >= _FAILURES or len(failed) >= _DIVERGED

    def _report(self, record: Trial) -> None:
        best = self._best()
        place = f"trial {record.number} of {self.oracle.max_trials}"
        if record.mean_iou is None or best is None or best.mean_iou is None:
            progress.report(f"{place}: {record.failure}")
        else:
            figures = f"IoU {record.mean_iou:.3f} (best {best.mean_iou:.3f})"
            progress.report(
                f"{place}: {figures} after {counted(record.epochs, 'epoch')} with {described(record.values)}"
            )

    def _best(self) -> Trial | None:
        """As in KerasTuner: the first on a tie."""
        trained = [trial for trial in self._ended if trial.mean_iou is not None]
        return max(trained, key=lambda trial: trial.mean_iou or 0.0, default=None)

    def _given_up(self) -> UserError:
        """Returns the error; forgets the failures, because another attempt may have more memory."""
        last = self._ended[-1]
        for failed in self._ended[-_FAILURES:]:
            tf.io.gfile.remove(_record_file(self.folder, failed.number))
        remedy = "the upper end of tuner.learning_rate" if last.diverged else "trainer.batch_size or tuner.widths"
        return UserError(
            f"trial {last.number} of the search could not be trained, nor those before it: {last.failure}; "
            f"lower {remedy}"
        )

    def _training(self, trial: KerasTrial) -> str:
        """Returns the folder of a trial's weights: that of the trial that started the training."""
        while "tuner/trial_id" in trial.hyperparameters.values:
            trial = self.oracle.get_trial(trial.hyperparameters.values["tuner/trial_id"])
        return f"{_TRAINING}{trial.trial_id}"

    def _forget_ended_brackets(self, trial: KerasTrial) -> None:
        """Deletes the weights of trainings that no trial will continue: a bracket ends before the next begins."""
        needed = {self._training(other) for other in self._bracket(trial)}
        for name in tf.io.gfile.listdir(self.folder):
            if name.startswith(_TRAINING) and name.rstrip("/") not in needed:
                tf.io.gfile.rmtree(os.path.join(self.folder, name))

    def _bracket(self, trial: KerasTrial) -> Iterator[KerasTrial]:
        """Returns the trial and its predecessors in its bracket."""
        for other in reversed(self.oracle.trials.values()):
            if other.hyperparameters.values["tuner/bracket"] != trial.hyperparameters.values["tuner/bracket"]:
                return
            yield other


def _record_file(folder: str, number: int) -> str:
    return os.path.join(folder, f"trial-{number:05d}.json")


def _read(folder: str) -> Iterator[Trial]:
    for path in tf.io.gfile.glob(os.path.join(folder, "trial-*.json")):
        with tf.io.gfile.GFile(path) as file:
            yield Trial.model_validate_json(file.read())


def _write(folder: str, record: Trial) -> None:
    """Writes the record atomically."""
    path = _record_file(folder, record.number)
    with tf.io.gfile.GFile(f"{path}.new", "w") as file:
        file.write(record.model_dump_json())
    tf.io.gfile.rename(f"{path}.new", path, overwrite=True)
