"""What is trained, and how."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from components.settings import Settings
from components.trainer.architectures import ARCHITECTURES, TaggedArchitecture, UNet
from components.trainer.inference.config import InferenceConfig


class Augmentation(Settings):
    """What is done at random to a training picture and, with the same geometry, to its mask."""

    flip_horizontal: bool = Field(default=True, description="Mirror left and right, half of the time.")
    flip_vertical: bool = Field(default=False, description="Mirror top and bottom, half of the time.")
    quarter_turns: bool = Field(default=False, description="Turn by 0°, 90°, 180° or 270°; needs height = width.")


class TrainerConfig(Settings):
    """Model, loss, optimiser and the course of the training."""

    model: TaggedArchitecture = Field(default=UNet(), description="The architecture.")
    loss: Literal["cross_entropy"] = Field(
        default="cross_entropy",
        description="Weighted cross-entropy: binary on a sigmoid head for two classes, categorical on softmax beyond.",
    )
    batch_size: int = Field(default=16, ge=1, description="Pictures a step.")
    epochs: int = Field(default=20, ge=1, description="Passes over the training data, at most.")
    max_minutes: float | None = Field(
        default=None, gt=0, description="Training ends after the epoch in which this time is up."
    )
    learning_rate: float = Field(default=1e-3, gt=0, description="Adam's step size at the start.")
    schedule: Literal["constant", "cosine"] = Field(
        default="cosine", description="How the step size goes on: stays, or falls to zero over all epochs."
    )
    patience: int = Field(
        default=10, ge=1, description="Epochs without a better mean IoU on the eval split until training stops."
    )
    augmentation: Augmentation = Field(default=Augmentation(), description="Random changes to the training pictures.")
    cache_bytes: int = Field(
        default=2_000_000_000, ge=0, description="Training records up to this size are held in memory, decoded."
    )
    max_pixels: int = Field(
        default=25_000_000, ge=1, description="Width × height over which the served model refuses a picture."
    )
    inference: InferenceConfig = Field(default=InferenceConfig(), description="How the exported model answers.")

    @field_validator("model", mode="before")
    @classmethod
    def _known_architecture(cls, value: Any) -> Any:
        """Refuses an architecture by its name, before its parameters are looked at."""
        if not isinstance(value, dict):
            return value
        name = value.get("type", "unet")
        if name not in ARCHITECTURES:
            raise ValueError(f"architecture {name!r} is not available; there is {', '.join(ARCHITECTURES)}")
        return {**value, "type": name}
