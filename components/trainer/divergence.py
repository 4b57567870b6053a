"""Divergence check: a training whose loss or weights are not finite ends at once, keeping the best weights so far.

Once a loss is NaN or infinite, so are the gradients, and one step makes every weight NaN.  The remaining epochs are
then wasted; the masks are class 0 everywhere, whose metrics look like those of a poor model.

The loss alone does not show it: the ReLU of oneDNN, which TensorFlow computes with on many processors, returns 0 for
NaN (Eigen's returns NaN), so that the loss of a network with NaN weights may be finite.
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
"""Key of the logs: the epoch's steps whose loss or weights were not finite, summed over the replicas."""
_LOOK_SECONDS = 0.5
_WEIGHTS = "weights of the network are not finite"


class Diverged(UserError):
    """The training diverged; the message says where, and what to change."""


class Situation(NamedTuple):
    """State of the monitored training."""

    config: TrainerConfig
    phase: Phase
    steps_per_epoch: int
    replicas: int
    """Number of replicas that share each step."""
    workers: int
    """Number of workers, which must all stop at the same step."""
    rate: Callable[[int], float]
    """Step of the phase, counted from 0 → learning rate."""
    kept: Callable[[], str]
    """Returns a sentence that says which weights are kept."""


class StopOnDivergence(keras.callbacks.Callback):
    """Callback that ends a training whose loss or weights are not finite.

    The graph counts the steps whose loss or weights are not finite, and the count is read only when progress is
    reported, twice a second, and at the end of an epoch: waiting for the device after each step would cost time.  In
    the list of callbacks it comes before those that keep weights, so that non-finite weights are never kept.

    With float16 a non-finite loss is tolerated, because loss scaling skips that step; but not in all steps
    of an epoch, and non-finite weights are not tolerated.
    """

    def __init__(self, situation: Situation, weights: Sequence[tf.Variable]) -> None:
        """Monitors all weights of the network, including statistics of batch normalisation."""
        super().__init__()
        self._supports_tf_logs = True  # Otherwise Keras would wait for the device after each step.
        self._situation = situation
        self._weights = weights
        self._skips = situation.config.precision == "mixed_float16"
        self._epoch = 0
        self._steps = 0
        self._logs: dict[str, Any] = {}
        self._looked = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Sets the current epoch."""
        self._epoch, self._steps, self._logs = epoch, 0, {}

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Checks the loss and the trained weights from time to time.

        Raises:
            Diverged: they are not finite.
        """
        self._steps, self._logs = batch + 1, logs or {}
        now = time.monotonic()
        if self._situation.workers == 1 and not self._skips and now - self._looked > _LOOK_SECONDS:
            self._looked = now
            self._look()

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Checks the loss and the trained weights of all steps of the epoch, before the evaluation.

        Raises:
            Diverged: they are not finite.
        """
        self._look()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Checks the weights, before they are kept.

        Raises:
            Diverged: they are not finite.
        """
        if self._weights and not bool(_all_finite(self._weights)):
            raise self._diverged(_WEIGHTS, self._steps, untouched=False)

    def _look(self) -> None:
        # With several workers Keras sums over them what is already a sum over all replicas.
        bad = float(self._logs.get(NONFINITE_STEPS, 0.0)) / self._situation.workers
        loss = float(self._logs.get("loss", 0.0))
        if math.isfinite(loss) and not bad:
            return
        first = first_bad_step(self._steps, bad, self._situation.replicas)
        if not self._skips or first == 1:
            untouched = first == 1 and self._epoch == 0 and not self._skips
            what = _WEIGHTS if math.isfinite(loss) else f"the loss is {_shown(loss)}"
            raise self._diverged(what, first, untouched)

    def _diverged(self, what: str, step: int, untouched: bool) -> Diverged:
        situation = self._situation
        of_phase = (self._epoch - situation.phase.begin) * situation.steps_per_epoch + step - 1
        return Diverged(
            f"the training diverged: {what} in epoch {self._epoch + 1} of {situation.config.epochs}, "
            f"step {step} of {situation.steps_per_epoch}, at learning rate {situation.rate(of_phase):.3g}; "
            f"{_remedy(situation, untouched)}. {situation.kept()}"
        )


class NonFiniteSteps(keras.metrics.Metric):
    """The number of steps whose loss or weights are not finite, summed over the replicas."""

    def __init__(self) -> None:
        super().__init__(name=NONFINITE_STEPS)
        self._number = self.add_weight("number", initializer="zeros", dtype=tf.float32)

    def update_state(self, loss: tf.Tensor, weights: Sequence[tf.Variable]) -> None:
        """Counts a step of this loss, made with these weights."""
        # A sum is finite if all that is summed is, and needs no memory for one answer a weight.
        sums = [tf.reduce_sum(weight) for weight in weights if weight.dtype.is_floating]
        finite = tf.reduce_all(tf.math.is_finite(tf.stack([tf.cast(one, tf.float32) for one in [loss, *sums]])))
        self._number.assign_add(tf.cast(tf.logical_not(finite), tf.float32))

    def result(self) -> tf.Tensor:
        """Returns the count so far."""
        return tf.identity(self._number)


def first_bad_step(steps: int, bad: float, replicas: int) -> int:
    """The first of `steps` steps, counted from 1, whose loss or weights were not finite.

    In float32 a step whose loss is not finite ruins the weights of all later ones, on all replicas; in the first one
    the loss of some replicas may still be finite.

    Args:
        steps: steps done in the epoch.
        bad: those whose loss or weights were not finite, summed over the replicas; 0 where only their sum overflowed.
        replicas: number of replicas.
    """
    return max(1, steps - max(0, math.ceil(bad / replicas) - 1))


def _shown(loss: float) -> str:
    return "not a number" if math.isnan(loss) else "infinite" if math.isinf(loss) else f"{loss:.3g}"


def _remedy(situation: Situation, untouched: bool) -> str:
    """Returns the remedy; `untouched`: the weights were still the initial ones."""
    config, phase = situation.config, situation.phase
    if untouched:
        return (
            "no step had changed the weights yet, so check what the training starts from: trainer.warm_start, the "
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
