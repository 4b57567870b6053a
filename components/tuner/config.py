"""Configuration of the hyperparameter search: search space and budget."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, ValidationError, field_validator, model_validator

from common.settings import Settings
from common.settings_errors import mistakes_in
from components.trainer.augmentation.strength import with_strength
from components.trainer.config import TrainerConfig
from components.trainer.hyperparameters import (
    AUGMENTATION,
    LEARNING_RATE,
    LOSS,
    WIDTH,
    Values,
    loss_text,
    with_hyperparameters,
)
from components.trainer.losses.config import LossTerms

Positive = Annotated[float, Field(gt=0)]


class TunerConfig(Settings):
    """Hyperparameter search by Hyperband (Li et al. 2018): many short trials; the best are continued.

    Its result replaces the trainer's settings; the model is then trained as without a search.
    """

    learning_rate: tuple[Positive, Positive] = Field(
        default=(1e-4, 1e-2), description="Smallest and largest learning rate, log-uniform. Always searched."
    )
    losses: tuple[LossTerms, ...] = Field(
        default=(), description="Losses to choose from, each written like trainer.loss; none: trainer.loss is used."
    )
    widths: tuple[int, ...] = Field(
        default=(),
        description="Widths to choose from: of unet and deeplabv3plus `width`, of fcn8 `head_width`, of encoder_unet "
        "the first of `widths`, with the others in proportion; none: trainer.model stays.",
    )
    augmentation: tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(le=4)]] | None = Field(
        default=None,
        description="Smallest and largest strength of trainer.augmentation: 0 is none, 1 is as configured, 2 has twice "
        "the ranges; mirrors and quarter turns become rarer below 1. Without it, trainer.augmentation stays.",
    )
    max_epochs: int = Field(
        default=9,
        ge=1,
        le=10_000,
        description="Epochs of the longest trials; schedules and phases are those of a training of that length.",
    )
    factor: int = Field(
        default=3, ge=2, le=10, description="One of this many trials is continued, for this many times the epochs."
    )
    iterations: int = Field(default=1, ge=1, le=1000, description="Number of repetitions of Hyperband.")
    max_trials: int | None = Field(default=None, ge=1, description="Most trials of the search.")
    max_minutes: float | None = Field(
        default=None, gt=0, description="The search ends after the trial in which this time limit is reached."
    )

    @field_validator("learning_rate", "augmentation")
    @classmethod
    def _rises(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and value[0] >= value[1]:
            raise ValueError(f"the range must rise, but {value[0]:g} is not below {value[1]:g}")
        return value

    @model_validator(mode="after")
    def _choices_differ(self) -> TunerConfig:
        for name, choices, shown in (
            ("losses", self.losses, ", ".join(map(loss_text, self.losses))),
            ("widths", self.widths, ", ".join(map(str, self.widths))),
        ):
            if len(choices) == 1 or len(set(choices)) < len(choices):
                raise ValueError(f"{name} must be at least two different choices, or be left out, not {shown}")
        return self

    def trial(self, trainer: TrainerConfig, values: Values) -> TrainerConfig:
        """Returns a trial's configuration: `trainer` with `values` and the epochs of the longest trials."""
        return with_hyperparameters(
            TrainerConfig.model_validate(trainer.model_dump() | {"epochs": self.max_epochs}), values
        )


def check_search(tuner: TunerConfig, trainer: TrainerConfig) -> None:
    """Rejects a search whose trials could not be trained, or could not differ.

    Raises:
        ValueError: `trainer` does not allow a value that `tuner` might choose.
    """
    if tuner.widths and trainer.warm_start != "none":
        raise ValueError(f"tuner.widths must be left out with trainer.warm_start: {trainer.warm_start} has one width")
    if tuner.augmentation and len({with_strength(trainer.augmentation, bound) for bound in tuner.augmentation}) == 1:
        raise ValueError("tuner.augmentation has no effect, because trainer.augmentation has nothing to vary")
    for key, values in _extremes(tuner):
        try:
            tuner.trial(trainer, values)
        except ValidationError as error:
            first = mistakes_in(error, TrainerConfig)[0]
            text = f".{first.text}" if first.loc else f": {first.text}"
            raise ValueError(f"tuner.{key} does not fit trainer{text}") from None


def _extremes(tuner: TunerConfig) -> Iterator[tuple[str, Values]]:
    """Yields the possible choices one at a time, with the key that each comes from."""
    yield "max_epochs", {}
    yield from (("learning_rate", {LEARNING_RATE: rate}) for rate in tuner.learning_rate)
    yield from (("losses", {LOSS: loss_text(terms)}) for terms in tuner.losses)
    yield from (("widths", {WIDTH: width}) for width in tuner.widths)
    yield from (("augmentation", {AUGMENTATION: strength}) for strength in tuner.augmentation or ())
