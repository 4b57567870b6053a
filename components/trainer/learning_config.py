"""How a network learns: the optimiser, its step size, and when an encoder joins in."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from common.settings import Settings


class Adam(Settings):
    """Adam (Kingma and Ba 2015)."""

    type: Literal["adam"] = "adam"


class AdamW(Settings):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019); biases and normalisation do not decay."""

    type: Literal["adamw"] = "adamw"
    weight_decay: float = Field(
        default=0.01, gt=0, lt=1, description="Share of a weight, times the step size, that each step takes off it."
    )


class SGD(Settings):
    """Stochastic gradient descent with momentum."""

    type: Literal["sgd"] = "sgd"
    momentum: float = Field(default=0.9, ge=0, lt=1, description="Share of the last step that is made again.")
    nesterov: bool = Field(default=False, description="Whether the gradient is taken ahead, after Nesterov.")


class Constant(Settings):
    """The step size stays."""

    type: Literal["constant"] = "constant"


class Cosine(Settings):
    """The step size falls along half a cosine, over all epochs after the warm-up."""

    type: Literal["cosine"] = "cosine"
    end: float = Field(default=0.0, ge=0, le=1, description="Share of the step size that is left in the end.")


class Polynomial(Settings):
    """The step size falls as a power of the share of steps that is left; a power of 0.9 is DeepLab's."""

    type: Literal["polynomial"] = "polynomial"
    power: float = Field(default=0.9, gt=0, le=10, description="The power; 1 makes a straight line.")
    end: float = Field(default=0.0, ge=0, le=1, description="Share of the step size that is left in the end.")


class Step(Settings):
    """The step size falls at once, every so many epochs."""

    type: Literal["step"] = "step"
    every: int = Field(default=10, ge=1, description="Epochs from one fall to the next.")
    factor: float = Field(default=0.1, gt=0, lt=1, description="What it is multiplied by.")


class Plateau(Settings):
    """The step size falls when the mean IoU on the eval split has not risen for some epochs."""

    type: Literal["plateau"] = "plateau"
    patience: int = Field(default=5, ge=1, description="Epochs without a better one, until it falls.")
    factor: float = Field(default=0.5, gt=0, lt=1, description="What it is multiplied by.")


def _as_section(value: Any) -> Any:
    """`cosine` → `{type: cosine}`."""
    return {"type": value} if isinstance(value, str) else value


Optimizer = Annotated[Adam | AdamW | SGD, Field(discriminator="type"), BeforeValidator(_as_section)]
"""A section, or a name alone for one with its defaults."""

Schedule = Annotated[
    Constant | Cosine | Polynomial | Step | Plateau, Field(discriminator="type"), BeforeValidator(_as_section)
]
"""Likewise."""

Precision = Literal["float32", "mixed_float16", "mixed_bfloat16", "auto"]


class FineTuning(Settings):
    """The encoder rests as it came; then, in a second phase, it is trained too.

    Throughout its batch normalisation keeps the statistics, and the scales and shifts, that it came with.
    """

    from_epoch: int | None = Field(
        ge=2,
        description="The first epoch, counted from 1, in which the encoder is trained; `null`: it rests to the end.",
        examples=[10],
    )
    learning_rate: float = Field(
        default=1e-4, gt=0, description="Step size from then on; the schedule begins anew, without a warm-up."
    )
