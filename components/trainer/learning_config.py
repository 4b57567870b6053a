"""Configuration of the optimiser, the learning-rate schedule, and fine-tuning."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from common.settings import Settings, as_section


class Adam(Settings):
    """Adam (Kingma and Ba 2015)."""

    type: Literal["adam"] = "adam"


class AdamW(Settings):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019); biases and normalisation do not decay."""

    type: Literal["adamw"] = "adamw"
    weight_decay: float = Field(
        default=0.01,
        gt=0,
        lt=1,
        description="Share of a weight, times the learning rate, that each step subtracts from it.",
    )


class SGD(Settings):
    """Stochastic gradient descent with momentum."""

    type: Literal["sgd"] = "sgd"
    momentum: float = Field(default=0.9, ge=0, lt=1, description="Share of the last step that is repeated.")
    nesterov: bool = Field(default=False, description="Whether to use Nesterov momentum.")


class Constant(Settings):
    """Constant learning rate."""

    type: Literal["constant"] = "constant"


class Cosine(Settings):
    """Cosine decay of the learning rate over all epochs after the warm-up."""

    type: Literal["cosine"] = "cosine"
    end: float = Field(default=0.0, ge=0, le=1, description="Final share of the learning rate.")


class Polynomial(Settings):
    """Polynomial decay: a power of the share of steps that is left; DeepLab uses 0.9."""

    type: Literal["polynomial"] = "polynomial"
    power: float = Field(default=0.9, gt=0, le=10, description="The power; 1 is linear.")
    end: float = Field(default=0.0, ge=0, le=1, description="Final share of the learning rate.")


class Step(Settings):
    """Step decay: the learning rate falls every so many epochs."""

    type: Literal["step"] = "step"
    every: int = Field(default=10, ge=1, description="Epochs between two reductions.")
    factor: float = Field(default=0.1, gt=0, lt=1, description="Factor of a reduction.")


class Plateau(Settings):
    """Reduce on plateau: the learning rate falls when the mean IoU on the eval split has not risen for some epochs."""

    type: Literal["plateau"] = "plateau"
    patience: int = Field(default=5, ge=1, description="Epochs without improvement until a reduction.")
    factor: float = Field(default=0.5, gt=0, lt=1, description="Factor of a reduction.")


Optimizer = Annotated[Adam | AdamW | SGD, Field(discriminator="type"), BeforeValidator(as_section)]
"""A section, or a name alone for one with its defaults."""

Schedule = Annotated[
    Constant | Cosine | Polynomial | Step | Plateau, Field(discriminator="type"), BeforeValidator(as_section)
]
"""Likewise."""

Precision = Literal["float32", "mixed_float16", "mixed_bfloat16", "auto"]


class FineTuning(Settings):
    """Fine-tuning: the encoder is frozen in a first phase, and trained in a second one.

    Its batch normalisation keeps its pretrained statistics, scales and shifts in both phases.
    """

    from_epoch: int | None = Field(
        ge=2,
        description="First epoch, counted from 1, in which the encoder is trained; `null`: the encoder stays frozen.",
        examples=[10],
    )
    learning_rate: float = Field(
        default=1e-4, gt=0, description="Learning rate from then on; the schedule restarts, without a warm-up."
    )
