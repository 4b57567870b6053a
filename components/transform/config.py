"""Configuration of the preprocessing."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from common.settings import Settings
from components.transform.values_config import FullRange, Values


class TransformConfig(Settings):
    """Size, aspect, and the statistics that are computed over the training data."""

    mode: Literal["resize", "crop"] = Field(
        default="resize",
        description="Resize each image to the model's input, or keep images at their own size and train on random "
        "windows of the model's input (`trainer.windows`); then a sliding window serves and evaluates.",
    )
    height: int = Field(default=128, ge=16, le=2048, description="Rows of the model's input, pixels.")
    width: int = Field(default=128, ge=16, le=2048, description="Columns of the model's input, pixels.")
    scale: float = Field(
        default=1.0,
        ge=0.1,
        le=2,
        description="Factor on the size of each image before windows are cut (mode `crop`).",
    )
    aspect: Literal["stretch", "letterbox"] = Field(
        default="stretch",
        description="Stretch to the size, or keep the aspect and pad: the padding is black and its mask void (mode "
        "`resize`).",
    )
    normalize: Literal["channel", "picture", "unit", "none"] = Field(
        default="channel",
        description="Normalisation of the input: `channel`, (x − mean) / std of each channel over the training data; "
        "`picture`, (x − mean) / (std + 8) of each channel over the whole image; `unit`, x / 255; or `none`, x. With "
        "`trainer.model.encoder` it is `none`, the default there, as the encoder scales images itself, or `picture`.",
    )
    values: Values = Field(
        default=FullRange(),
        description="How samples become the model's input, 0…255 as floating point, if `data.bands` is set: the "
        "`full` range of their type, a `fixed` range, or a `percentile` range of each band.",
    )
    class_weights: Literal["none", "inverse_root", "inverse"] = Field(
        default="none",
        description="Weight of a class from its share f of the training pixels: 1, 1/√f or 1/f, scaled to mean 1.",
    )

    @model_validator(mode="after")
    def _mode_fits(self) -> TransformConfig:
        if self.mode == "resize" and self.scale != 1:
            raise ValueError("scale needs mode crop; in mode resize, height and width decide the size")
        if self.aspect == "letterbox" and self.mode == "crop":
            raise ValueError("aspect letterbox needs mode resize; in mode crop images keep their aspect")
        if self.aspect == "letterbox" and self.normalize == "picture":
            raise ValueError("normalize picture needs aspect stretch: black padding would change the mean of an image")
        return self

    @property
    def crops(self) -> bool:
        """Whether the model is trained on windows of images at their own size."""
        return self.mode == "crop"

    @property
    def by_picture(self) -> bool:
        """Whether each image is normalised by its own statistics, in front of the network."""
        return self.normalize == "picture"
