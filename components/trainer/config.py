"""Configuration of the training."""

from __future__ import annotations

from pydantic import Field, model_validator

from common.plurals import counted
from common.settings import Settings
from components.trainer.architectures import DEFAULT_ARCHITECTURE, TaggedArchitecture
from components.trainer.augmentation.config import Augmentation
from components.trainer.inference.config import InferenceConfig
from components.trainer.learning_config import Adam, Cosine, FineTuning, Optimizer, Precision, Schedule
from components.trainer.losses.config import ClassWeights, CrossEntropyTerm, LossTerms
from components.trainer.tensorboard.config import TensorBoardConfig
from components.trainer.windows.config import WindowsConfig

NONE = "none"
BLESSED = "blessed"
"""Values of `warm_start` other than a folder."""


class TrainerConfig(Settings):
    """Model, loss, optimiser and training loop."""

    model: TaggedArchitecture = Field(
        default=DEFAULT_ARCHITECTURE,
        description="The architecture. Default: `encoder_unet` on a MobileNet of width 0.75 with ImageNet's weights, "
        "which Keras downloads once (5 MB). A section without `type` is a `unet`, from random weights; one whose "
        "`encoder` has no `name` changes the default.",
    )
    loss: LossTerms = Field(
        default=(CrossEntropyTerm(),),
        min_length=1,
        description="Terms of the loss, which are added; a name alone, such as `dice`, is that term with its defaults.",
    )
    class_weights: ClassWeights | None = Field(
        default=None,
        description="Weight of a class's pixels in cross-entropy and focal loss, 1 for classes that are not named; "
        "default: the weights that Transform computes (transform.class_weights).",
    )
    batch_size: int = Field(
        default=16, ge=1, description="Images, or windows of images, in a batch, over all devices together."
    )
    workers: int = Field(
        default=1,
        ge=1,
        le=256,
        description="Machines that train together on a cluster (`kubeflow.workers`), each with all of its devices; "
        "`segpipe run` trains on its own machine alone.",
    )
    accumulate: int = Field(
        default=1,
        ge=1,
        le=1024,
        description="Gradient accumulation: batches whose gradients are averaged for one optimiser step.",
    )
    epochs: int = Field(default=20, ge=1, description="Most passes over the training data.")
    max_minutes: float | None = Field(
        default=None, gt=0, description="Training ends after the epoch in which this time limit is reached."
    )
    optimizer: Optimizer = Field(default=Adam(), description="The optimiser; a name is enough.")
    learning_rate: float = Field(default=1e-3, gt=0, description="Learning rate after the warm-up.")
    schedule: Schedule = Field(default=Cosine(), description="Learning-rate schedule; a name is enough.")
    warm_up_epochs: int = Field(
        default=0, ge=0, description="Epochs over which the learning rate rises from nearly zero."
    )
    clip_norm: float | None = Field(
        default=None, gt=0, description="Gradient clipping: largest global norm of the gradients."
    )
    average: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Decay, such as 0.999, of an exponential moving average (EMA) of the weights, updated after each "
        "step; if it is set, the average is evaluated, kept and exported. Default: no average.",
    )
    fine_tuning: FineTuning | None = Field(
        default=None, description="Fine-tuning with an encoder that is frozen at first; none: never frozen."
    )
    warm_start: str = Field(
        default="none",
        min_length=1,
        description="Initial weights: `none`, `blessed` (those of the registry's served version; each new version then "
        "makes the next run train again), the folder of an exported model, or the folder named in the error of a "
        "training that diverged.",
    )
    precision: Precision = Field(
        default="float32",
        description="Precision of computation while training; the weights are always float32. `auto` is "
        "mixed_bfloat16 on GPUs of compute capability 8 or newer, else float32.",
    )
    xla: bool = Field(
        default=False,
        description="Whether the training step is compiled by XLA: on a GPU this was nearly twice as fast, after a "
        "minute or two of compiling.",
    )
    deterministic: bool = Field(
        default=False,
        description="Whether the same seed gives the same weights on the same kind of device, even if it is slower.",
    )
    patience: int = Field(
        default=10,
        ge=1,
        description="Early stopping: epochs without a better mean IoU on the eval split until training stops.",
    )
    augmentation: Augmentation = Field(
        default=Augmentation(), description="Random augmentation of the training images."
    )
    windows: WindowsConfig = Field(
        default=WindowsConfig(), description="Random windows of images at their own size (`transform.mode: crop`)."
    )
    tensorboard: TensorBoardConfig = Field(
        default=TensorBoardConfig(), description="What TensorBoard shows of the training."
    )
    cache_bytes: int = Field(
        default=2_000_000_000,
        ge=0,
        description="Largest size at which the records of the train, and of the eval, split are cached in memory.",
    )
    max_pixels: int = Field(
        default=25_000_000, ge=1, description="Width × height above which the served model rejects an image."
    )
    inference: InferenceConfig = Field(default=InferenceConfig(), description="Inference of the exported model.")

    @model_validator(mode="after")
    def _batch_goes_round(self) -> TrainerConfig:
        if self.batch_size < self.workers:
            raise ValueError(f"batch_size ({self.batch_size}) is smaller than the number of workers ({self.workers})")
        return self

    @model_validator(mode="after")
    def _phases_fit(self) -> TrainerConfig:
        """Rejects phases that would never start, or that the architecture does not have."""
        first_phase = self.epochs
        change = self.fine_tuning.from_epoch if self.fine_tuning else None
        if change:
            first_phase = change - 1
            if first_phase >= self.epochs:
                raise ValueError(
                    f"fine_tuning.from_epoch ({change}) is beyond the {counted(self.epochs, 'epoch')}; to keep the "
                    "encoder frozen, write null"
                )
        if self.fine_tuning and self.model.encoder is None:
            raise ValueError(f"fine_tuning needs an architecture with an encoder, but {self.model.type} has none")
        if self.warm_up_epochs >= first_phase:
            raise ValueError(
                f"warm_up_epochs must be fewer than the {counted(first_phase, 'epoch')}"
                + (" before fine_tuning.from_epoch" if change else "")
                + f", not {self.warm_up_epochs}"
            )
        return self

    @property
    def pictures_per_step(self) -> int:
        """Number of images per optimiser step."""
        return self.batch_size * self.accumulate
