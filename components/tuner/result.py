"""Result of a search, readable without TensorFlow or KerasTuner: `search.json` beside TFX's results."""

from __future__ import annotations

from pydantic import Field

from common.settings import Settings

SEARCH_FILE = "search.json"


class Trial(Settings):
    """One choice of values, trained for some epochs."""

    number: int = Field(description="From 1.")
    values: dict[str, float | int | str] = Field(description="`learning_rate`, `loss`, `width`, `augmentation`.")
    continues: int | None = Field(description="The trial whose training it continues.")
    epochs: int = Field(
        description="The epoch up to which it was trained, from the end of the trial that it continues."
    )
    mean_iou: float | None = Field(
        description="The best epoch's mean IoU on the eval split; `None` if training failed."
    )
    seconds: float
    failure: str = ""
    diverged: bool = Field(default=False, description="Whether it failed because its loss or weights were not finite.")


class SearchResult(Settings):
    """All trials, in their order."""

    best: int = Field(description="The number of the trial whose values were chosen.")
    trials: tuple[Trial, ...]

    @property
    def seconds(self) -> float:
        """Total time of all trials."""
        return sum(trial.seconds for trial in self.trials)
