"""Configuration of what TensorBoard shows."""

from __future__ import annotations

from pydantic import Field

from common.settings import Settings


class TensorBoardConfig(Settings):
    """What is written for TensorBoard beside loss, metrics and learning rate of each epoch."""

    images: int = Field(
        default=4,
        ge=0,
        le=32,
        description="Images of the eval split, always the same ones, that are drawn with truth, prediction and error; "
        "0: none.",
    )
    every: int = Field(
        default=5, ge=1, description="Epochs between two drawings; the first and the last are drawn too."
    )
    curves: bool = Field(
        default=True,
        description="Whether precision-recall and ROC curves of each class are drawn at the end, of the best epoch on "
        "the eval split.",
    )


NOTHING = TensorBoardConfig(images=0, curves=False)
"""Loss, metrics and learning rate alone."""
