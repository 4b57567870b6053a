"""KerasTuner's Hyperband, which decides what is tried next, told what to choose from and when to end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras_tuner

from components.trainer.hyperparameters import AUGMENTATION, LEARNING_RATE, LOSS, WIDTH, loss_text
from components.tuner.config import TunerConfig

OBJECTIVE = "val_mean_iou"


class BoundedHyperband(keras_tuner.oracles.HyperbandOracle):
    """Hyperband that knows how many trials it will make, and ends when its time is up.

    With the same seed and the same scores it chooses the same trials.
    """

    def __init__(self, config: TunerConfig, seed: int, seconds: Callable[[], float]) -> None:
        """Prepares the search.

        Args:
            config: What is searched, and for how long.
            seed: Of the values that are drawn.
            seconds: Says how long the trials took so far, all together.
        """
        super().__init__(
            objective=keras_tuner.Objective(OBJECTIVE, "max"),
            max_epochs=config.max_epochs,
            factor=config.factor,
            hyperband_iterations=config.iterations,
            seed=seed + 1,  # KerasTuner takes 0 for none.
            hyperparameters=search_space(config),
            allow_new_entries=False,
            max_consecutive_failed_trials=2**31,  # The search itself decides when there is no hope left.
        )
        # TFX asks for so many best trials in the end, and fails where there is no number.
        self.max_trials = min(config.iterations * self._trials_of_an_iteration(), config.max_trials or 2**31)
        self.verbose = 0
        self._max_seconds = 60 * config.max_minutes if config.max_minutes else float("inf")
        self._seconds = seconds

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """What the next trial is, or that there is none."""
        if self._seconds() >= self._max_seconds:
            return {"status": "STOPPED"}
        return super().populate_space(trial_id)

    def _trials_of_an_iteration(self) -> int:
        brackets = range(self._get_num_brackets())
        return sum(self._get_size(bracket, turn) for bracket in brackets for turn in range(bracket + 1))


def search_space(config: TunerConfig) -> keras_tuner.HyperParameters:
    """What is chosen from."""
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
