"""Divergence: a training whose loss or weights are not finite ends at once, with the weights of the last good epoch.

Once a loss is NaN or infinite, the gradients are too, and one step makes every weight NaN.  From then on a training
goes through its epochs for nothing; its masks are class 0 everywhere, whose figures look like those of a poor model.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf
import tf_keras as keras

from common.errors import UserError
from components.trainer.config import TrainerConfig
from components.trainer.phases import Phase

NONFINITE_STEPS = "nonfinite_steps"
"""Key of the logs: the epoch's steps whose loss was not finite, summed over the replicas."""
_LOOK_SECONDS = 0.5


class Diverged(UserError):
    """The training diverged; the text says where, and what to lower."""


class Situation(NamedTuple):
    """The training that is watched."""

    config: TrainerConfig
    phase: Phase
    steps_per_epoch: int
    replicas: int
    """Among which each step is shared out."""
    workers: int
    """Which must all end at the same step."""
    rate: Callable[[int], float]
    """Step of the phase, counted from 0 → learning rate."""
    kept: Callable[[], str]
    """What is kept of the training so far, in words."""


class StopOnDivergence(keras.callbacks.Callback):
    """Ends a training whose loss or weights are not finite.

    The graph counts the steps whose loss is not finite, and the count is read only where the progress is shown, twice a
    second, and at the end of an epoch: to wait for the device after each step would cost time.  In the list of
    callbacks it stands before those that keep weights, so that none that are not finite are kept.

    With float16 a loss that is not finite is let pass, since loss scaling skips that step; but not through all steps
    of an epoch, and not weights that are not finite.
    """

    def __init__(self, situation: Situation, weights: Sequence[tf.Variable]) -> None:
        """Watches `weights`, all of those of the network, statistics of batch normalisation included."""
        super().__init__()
        self._supports_tf_logs = True  # Or Keras would wait for the device after each step.
        self._situation = situation
        self._weights = weights
        self._skips = situation.config.precision == "mixed_float16"
        self._epoch = 0
        self._steps = 0
        self._logs: dict[str, Any] = {}
        self._looked = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Notes the epoch."""
        self._epoch, self._steps, self._logs = epoch, 0, {}

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Looks at the loss, now and then.

        Raises:
            Diverged: it is not finite.
        """
        self._steps, self._logs = batch + 1, logs or {}
        now = time.monotonic()
        if self._situation.workers == 1 and not self._skips and now - self._looked > _LOOK_SECONDS:
            self._looked = now
            self._look()

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Looks at the loss of all steps of the epoch, before the evaluation.

        Raises:
            Diverged: it is not finite.
        """
        self._look()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Looks at the weights, before they are kept.

        Raises:
            Diverged: they are not finite.
        """
        if self._weights and not bool(_all_finite(self._weights)):
            raise self._diverged("weights of the network are not finite", self._steps, untouched=False)

    def _look(self) -> None:
        # With several workers Keras adds up over them what is a sum over all replicas already.
        bad = float(self._logs.get(NONFINITE_STEPS, 0.0)) / self._situation.workers
        loss = float(self._logs.get("loss", 0.0))
        if math.isfinite(loss) and not bad:
            return
        first = first_bad_step(self._steps, bad, self._situation.replicas)
        if not self._skips or first == 1:
            untouched = first == 1 and self._epoch == 0 and not self._skips
            raise self._diverged(f"the loss is {_shown(loss)}", first, untouched)

    def _diverged(self, what: str, step: int, untouched: bool) -> Diverged:
        situation = self._situation
        of_phase = (self._epoch - situation.phase.begin) * situation.steps_per_epoch + step - 1
        return Diverged(
            f"the training diverged: {what} in epoch {self._epoch + 1} of {situation.config.epochs}, "
            f"step {step} of {situation.steps_per_epoch}, at learning rate {situation.rate(of_phase):.3g}; "
            f"{_remedy(situation, untouched)}. {situation.kept()}"
        )


class NonFiniteSteps(keras.metrics.Metric):
    """The number of steps whose loss is not finite, summed over the replicas."""

    def __init__(self) -> None:
        super().__init__(name=NONFINITE_STEPS)
        self._number = self.add_weight("number", initializer="zeros", dtype=tf.float32)

    def update_state(self, loss: tf.Tensor) -> None:
        """Counts a step."""
        self._number.assign_add(tf.cast(tf.logical_not(tf.math.is_finite(loss)), tf.float32))

    def result(self) -> tf.Tensor:
        """The number so far."""
        return tf.identity(self._number)


def first_bad_step(steps: int, bad: float, replicas: int) -> int:
    """The first of `steps` steps, counted from 1, whose loss was not finite.

    In float32 a step whose loss is not finite spoils all later ones, on all replicas; in the first one the loss of some
    replicas may still be finite.

    Args:
        steps: steps done in the epoch.
        bad: those whose loss was not finite, summed over the replicas; 0 where only their sum overflowed.
        replicas: number of replicas.
    """
    return max(1, steps - max(0, math.ceil(bad / replicas) - 1))


def _shown(loss: float) -> str:
    return "not a number" if math.isnan(loss) else "infinite" if math.isinf(loss) else f"{loss:.3g}"


def _remedy(situation: Situation, untouched: bool) -> str:
    """What to do; `untouched`: the weights were still those that the training began with."""
    config, phase = situation.config, situation.phase
    if untouched:
        return (
            "no step had changed the weights yet, so look at what the training begins with: trainer.warm_start, the "
            "encoder's weights, trainer.class_weights and trainer.loss"
        )
    key = "trainer.fine_tuning.learning_rate" if config.fine_tuning and phase.begin else "trainer.learning_rate"
    hints = [f"lower {key} (now {phase.learning_rate:g}), for example to {phase.learning_rate / 10:.3g}"]
    if config.clip_norm is None:
        hints.append("clip the gradients with trainer.clip_norm: 1")
    if config.precision == "mixed_float16":
        hints.append("set trainer.precision to mixed_bfloat16 or float32, whose range is wider")
    return ", or ".join(hints)


def _all_finite(weights: Sequence[tf.Variable]) -> tf.Tensor:
    return tf.reduce_all([tf.reduce_all(tf.math.is_finite(weight)) for weight in weights if weight.dtype.is_floating])
