"""KerasTuner's Hyperband oracle, with our search space and time limit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras_tuner

from components.trainer.hyperparameters import AUGMENTATION, LEARNING_RATE, LOSS, WIDTH, loss_text
from components.tuner.config import TunerConfig

OBJECTIVE = "val_mean_iou"


class BoundedHyperband(keras_tuner.oracles.HyperbandOracle):
    """Hyperband oracle with a known number of trials and a time limit.

    The same seed and scores give the same trials.
    """

    def __init__(self, config: TunerConfig, seed: int, seconds: Callable[[], float]) -> None:
        """Prepares the search.

        Args:
            config: Search space and budget.
            seed: Seed of the values that are drawn.
            seconds: Returns the total time of the trials so far.
        """
        super().__init__(
            objective=keras_tuner.Objective(OBJECTIVE, "max"),
            max_epochs=config.max_epochs,
            factor=config.factor,
            hyperband_iterations=config.iterations,
            seed=seed + 1,  # KerasTuner treats 0 as no seed.
            hyperparameters=search_space(config),
            allow_new_entries=False,
            max_consecutive_failed_trials=2**31,  # The search itself decides when to give up.
        )
        # TFX requests this many best trials at the end, and fails without a number.
        self.max_trials = min(config.iterations * self._trials_of_an_iteration(), config.max_trials or 2**31)
        self.verbose = 0
        self._max_seconds = 60 * config.max_minutes if config.max_minutes else float("inf")
        self._seconds = seconds

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Returns the next trial, or that the search has ended."""
        if self._seconds() >= self._max_seconds:
            return {"status": "STOPPED"}
        return super().populate_space(trial_id)

    def _trials_of_an_iteration(self) -> int:
        brackets = range(self._get_num_brackets())
        return sum(self._get_size(bracket, turn) for bracket in brackets for turn in range(bracket + 1))


def search_space(config: TunerConfig) -> keras_tuner.HyperParameters:
    """Returns the search space."""
    space = keras_tuner.HyperParameters()
    least, largest = config.learning_rate
    space.Float(LEARNING_RATE, least, largest, sampling="log")
    if config.losses:
        space.Choice(LOSS, [loss_text(terms) for terms in config.losses])
    if config.widths:
        space.Choice(WIDTH, list(config.widths))
    if config.augmentation:
        space.Float(AUGMENTATION, *config.augmentation)
    return space
