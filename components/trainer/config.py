"""What is trained, and how."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from components.settings import Settings
from components.trainer.architectures import ARCHITECTURES, TaggedArchitecture, UNet
from components.trainer.augmentation.config import Augmentation
from components.trainer.inference.config import InferenceConfig
from components.trainer.losses.config import ClassWeights, CrossEntropyTerm, LossTerms


class TrainerConfig(Settings):
    """Model, loss, optimiser and the course of the training."""

    model: TaggedArchitecture = Field(default=UNet(), description="The architecture.")
    loss: LossTerms = Field(
        default=(CrossEntropyTerm(),),
        min_length=1,
        description="Terms that are added up; a name alone, such as `dice`, is that term with its defaults.",
    )
    class_weights: ClassWeights | None = Field(
        default=None,
        description="What a pixel of a class weighs in cross-entropy and focal loss, 1 where the class is not named; "
        "without it, what Transform computed (transform.class_weights).",
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
