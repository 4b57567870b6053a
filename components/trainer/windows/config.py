"""Configuration of the windows that a model is trained on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from common.settings import Settings

Factor = Annotated[float, Field(ge=0.25, le=4)]
Share = Annotated[float, Field(ge=0)]


class WindowsConfig(Settings):
    """Random windows of images at their own size, for `transform.mode: crop`.

    A window is cut after scaling, rotation and flips, so that no pixel from outside the image is in it. Images that
    are smaller than a window are reflected at their borders, and the mask is void there.
    """

    per_epoch: int | None = Field(
        default=None,
        ge=1,
        description="Windows in an epoch; default: as many as have the pixels of all training images, but at least one "
        "of each image and at most 250 batches.",
    )
    draw_by: Literal["area", "root_area", "image"] = Field(
        default="root_area",
        description="Probability of an image: proportional to its area, to the root of its area, or the same for each.",
    )
    shares: dict[str, dict[str, Share]] = Field(
        default={},
        max_length=1,
        description="Shares of the windows by the value of one slicing column; default: as `draw_by` says. Each value "
        "in the training data needs a share; 0 leaves its images out.",
        examples=["{image_type: {gray: 0.7, colour: 0.3}}"],
    )
    foreground: float = Field(
        default=0.25,
        ge=0,
        le=1,
        description="Share of the windows that are centred on a random pixel of a rare class: one of the image's "
        "classes, other than the most frequent class of the training data.",
    )
    zoom: tuple[Factor, Factor] = Field(
        default=(1.0, 1.0),
        description="Smallest and largest random scale, log-uniform; 2 shows objects at twice their size.",
    )
    evaluated: int = Field(
        default=16,
        ge=1,
        le=1024,
        description="Largest number of fixed windows of an image of the eval split that choose the best epoch; they "
        "cover the image, or are evenly spread over it.",
    )

    @field_validator("zoom")
    @classmethod
    def _zoom_rises(cls, value: tuple[float, float]) -> tuple[float, float]:
        if value[0] > value[1]:
            raise ValueError(f"the range must rise, but {value[0]:g} is above {value[1]:g}")
        return value

    @field_validator("shares")
    @classmethod
    def _some_share(cls, value: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
        for column, shares in value.items():
            if not any(shares.values()):
                raise ValueError(f"at least one value of {column} must have a share above 0")
        return value

    @property
    def column(self) -> str | None:
        """The slicing column of `shares`, if there is one."""
        return next(iter(self.shares), None)
