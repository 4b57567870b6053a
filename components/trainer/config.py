"""What is trained, and how."""

from __future__ import annotations

from pydantic import Field, model_validator

from common.settings import Settings
from components.trainer.architectures import TaggedArchitecture, UNet
from components.trainer.augmentation.config import Augmentation
from components.trainer.inference.config import InferenceConfig
from components.trainer.learning_config import Adam, Cosine, FineTuning, Optimizer, Precision, Schedule
from components.trainer.losses.config import ClassWeights, CrossEntropyTerm, LossTerms

NONE = "none"
BLESSED = "blessed"
"""What `warm_start` may be besides a folder."""


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
    batch_size: int = Field(default=16, ge=1, description="Pictures that pass at once, over all devices together.")
    workers: int = Field(
        default=1,
        ge=1,
        le=256,
        description="Machines that train together on a cluster (`kubeflow.workers`), each with all of its devices; "
        "`segpipe run` trains on its own machine alone.",
    )
    accumulate: int = Field(
        default=1, ge=1, le=1024, description="Batches whose gradients are averaged to one step of the optimiser."
    )
    epochs: int = Field(default=20, ge=1, description="Passes over the training data, at most.")
    max_minutes: float | None = Field(
        default=None, gt=0, description="Training ends after the epoch in which this time is up."
    )
    optimizer: Optimizer = Field(default=Adam(), description="What turns gradients into steps; a name is enough.")
    learning_rate: float = Field(default=1e-3, gt=0, description="The optimiser's step size, once warmed up.")
    schedule: Schedule = Field(default=Cosine(), description="How the step size goes on; a name is enough.")
    warm_up_epochs: int = Field(default=0, ge=0, description="Epochs over which the step size rises from nearly zero.")
    clip_norm: float | None = Field(
        default=None, gt=0, description="Gradients that are longer than this, all weights together, are cut to it."
    )
    average: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Momentum, such as 0.999, of a moving average of the weights, a step at a time; where it is given, "
        "the average is what is evaluated, kept and exported.",
    )
    fine_tuning: FineTuning | None = Field(default=None, description="Whether the encoder rests at first; none: never.")
    warm_start: str = Field(
        default="none",
        min_length=1,
        description="Initial weights: `none`, `blessed` (those of the registry's served version; so a version that is "
        "pushed makes the next run train again), the folder of an exported model, or the one in which a training that "
        "diverged says that it kept its weights.",
    )
    precision: Precision = Field(
        default="float32",
        description="What the network computes in while training; its weights are float32 always. `auto` is "
        "mixed_bfloat16 on GPUs of compute capability 8 or newer, else float32.",
    )
    xla: bool = Field(
        default=False,
        description="Whether the training step is compiled by XLA: on a GPU it was nearly twice as fast then, after a "
        "minute or two of compiling.",
    )
    deterministic: bool = Field(
        default=False,
        description="Whether the same seed gives the same weights on the same kind of device, at any cost.",
    )
    patience: int = Field(
        default=10, ge=1, description="Epochs without a better mean IoU on the eval split until training stops."
    )
    augmentation: Augmentation = Field(default=Augmentation(), description="Random changes to the training pictures.")
    cache_bytes: int = Field(
        default=2_000_000_000,
        ge=0,
        description="Records of the train, and of the eval, split are held in memory if they are no larger.",
    )
    max_pixels: int = Field(
        default=25_000_000, ge=1, description="Width × height over which the served model refuses a picture."
    )
    inference: InferenceConfig = Field(default=InferenceConfig(), description="How the exported model answers.")

    @model_validator(mode="after")
    def _batch_goes_round(self) -> TrainerConfig:
        if self.batch_size < self.workers:
            raise ValueError(f"batch_size ({self.batch_size}) is smaller than the number of workers ({self.workers})")
        return self

    @model_validator(mode="after")
    def _phases_fit(self) -> TrainerConfig:
        """Refuses phases that could never come, or that the architecture does not have."""
        first_phase = self.epochs
        change = self.fine_tuning.from_epoch if self.fine_tuning else None
        if change:
            first_phase = change - 1
            if first_phase >= self.epochs:
                raise ValueError(
                    f"fine_tuning.from_epoch {change} never comes in {self.epochs} epochs; where the encoder is to "
                    "rest to the end, write null"
                )
        if self.fine_tuning and self.model.encoder is None:
            raise ValueError(f"fine_tuning is for architectures on an encoder, and {self.model.type} has none")
        if self.warm_up_epochs >= first_phase:
            raise ValueError(
                f"warm_up_epochs must be fewer than the {first_phase} epochs"
                + (" before fine_tuning.from_epoch" if change else "")
                + f", not {self.warm_up_epochs}"
            )
        return self

    @property
    def pictures_per_step(self) -> int:
        """Pictures that a step of the optimiser sees."""
        return self.batch_size * self.accumulate
