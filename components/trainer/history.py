"""Training history, readable without TensorFlow: `history.json` in the ModelRun artifact."""

from __future__ import annotations

import math

from pydantic import Field

from common.settings import Settings

HISTORY_FILE = "history.json"


class Epoch(Settings):
    """One pass over the training data."""

    epoch: int = Field(description="From 1.")
    seconds: float = Field(description="Seconds of the epoch: training, evaluation and checkpointing.")
    milliseconds_per_step: float = Field(description="Training only; including tracing in a phase's first epoch.")
    learning_rate: float
    metrics: dict[str, float | None] = Field(
        description="`loss`, `mean_iou`, `mean_dice`, `pixel_accuracy` on train, and the same with `val_` on eval; "
        "`None` for one that is not finite."
    )
    nonfinite_steps: int = Field(
        default=0, description="Steps with a non-finite loss, over all devices, which loss scaling skipped."
    )

    @property
    def score(self) -> float:
        """The mean IoU on the eval split, by which the best epoch is chosen; −∞ where the loss there is not finite.

        A network that outputs NaN predicts class 0 everywhere, which may have a fair mean IoU.
        """
        score = self.metrics["val_mean_iou"]
        return -math.inf if score is None or self.metrics.get("val_loss", 0.0) is None else score


class TrainingHistory(Settings):
    """All epochs, and which of them was exported."""

    epochs: tuple[Epoch, ...]
    best_epoch: int = Field(description="The epoch whose weights were exported: the best `val_mean_iou`.")
    parameters: int = Field(description="Trainable weights of the model.")
    seconds: float = Field(description="Seconds in the training loop, over all attempts.")
    milliseconds_per_step: float = Field(description="Median over the epochs after the first.")
    device: str = Field(description="Such as `2 CPU cores` or `NVIDIA H200`.")
    stopped: str = Field(description="Why training ended: `all epochs done`, `no better for 10 epochs`, `time is up`.")
    train_pictures: int
    eval_pictures: int
    fine_tuned_from: int | None = Field(
        default=None, description="First epoch, counted from 1, in which a frozen encoder was trained."
    )
    searched: dict[str, float | int | str] = Field(
        default={}, description="Values chosen by the search in place of the configuration's: `learning_rate`, `loss` …"
    )
