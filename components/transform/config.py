"""Configuration of the preprocessing."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from common.settings import Settings


class TransformConfig(Settings):
    """Size, aspect, and the statistics that are computed over the training data."""

    height: int = Field(default=128, ge=16, le=2048, description="Rows of the model's input, pixels.")
    width: int = Field(default=128, ge=16, le=2048, description="Columns of the model's input, pixels.")
    aspect: Literal["stretch", "letterbox"] = Field(
        default="stretch",
        description="Stretch to the size, or keep the aspect and pad: the padding is black and its mask void.",
    )
    normalize: Literal["channel", "unit", "none"] = Field(
        default="channel",
        description="Normalisation of the input: (x − mean) / std of each channel over the training data, x / 255, or "
        "x. With `trainer.model.encoder` the default is `none`, as the encoder scales images itself.",
    )
    class_weights: Literal["none", "inverse_root", "inverse"] = Field(
        default="none",
        description="Weight of a class from its share f of the training pixels: 1, 1/√f or 1/f, scaled to mean 1.",
    )
