"""Histories of trainings that nobody ran."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from components.trainer.history import Epoch, TrainingHistory


def training_history(epochs: Sequence[Epoch] = (), **changes: Any) -> TrainingHistory:
    """A history of these epochs; what is not given does not matter to the test."""
    settings: dict[str, Any] = {
        "best_epoch": 1,
        "parameters": 1,
        "seconds": 1.0,
        "milliseconds_per_step": 1.0,
        "device": "2 CPU cores",
        "stopped": "all epochs done",
        "train_pictures": 8,
        "eval_pictures": 4,
    }
    return TrainingHistory(epochs=tuple(epochs), **(settings | changes))
