"""Configuration of the further metrics."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from common.settings import Settings, as_section
from common.signatures import CONFIDENCE_BINS

Positive = Annotated[float, Field(gt=0)]


class Boundary(Settings):
    """Boundary IoU (Cheng et al. 2021): IoU of the pixels near the classes' boundaries."""

    type: Literal["boundary"] = "boundary"
    width: float = Field(
        default=0.02,
        gt=0,
        le=1,
        description="Width of the boundary as a share of the image's diagonal; at least a pixel.",
    )


class Surface(Settings):
    """Distances between the boundaries of truth and prediction: surface Dice and HD95."""

    type: Literal["surface"] = "surface"
    tolerance: float = Field(
        default=2.0, ge=0, description="Distance up to which two boundaries agree, in units of `spacing`."
    )
    spacing: tuple[Positive, Positive] = Field(
        default=(1.0, 1.0), description="Height and width of a pixel, such as in millimetres."
    )


class Objects(Settings):
    """Precision, recall, F1 and panoptic quality of objects, which are connected pixels of a class."""

    type: Literal["objects"] = "objects"
    classes: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="Classes that have objects; default: all but the first."
    )
    overlap: float = Field(
        default=0.5, ge=0.5, lt=1, description="An object is found if its IoU with a predicted one is above this."
    )


class Calibration(Settings):
    """Calibration: whether the confidence of a pixel is the share of such pixels that are right; ECE, MCE, Brier."""

    type: Literal["calibration"] = "calibration"
    bins: int = Field(
        default=15,
        ge=2,
        le=CONFIDENCE_BINS,
        description="Bins of the confidence, all of one width; a divisor of 60, because the model counts in 60 bins.",
    )
    classes: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="Classes whose pixels are also measured by themselves; default: all."
    )

    @field_validator("bins")
    @classmethod
    def _divides(cls, bins: int) -> int:
        if CONFIDENCE_BINS % bins:
            possible = [number for number in range(2, CONFIDENCE_BINS + 1) if CONFIDENCE_BINS % number == 0]
            raise ValueError(f"bins must be one of {', '.join(map(str, possible))}")
        return bins


Family = Annotated[Boundary | Surface | Objects | Calibration, Field(discriminator="type"), BeforeValidator(as_section)]
"""A section, or a name alone for one with its defaults."""
