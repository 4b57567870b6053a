"""Configuration of the further metrics."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from common.settings import Settings, as_section

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


Family = Annotated[Boundary | Surface | Objects, Field(discriminator="type"), BeforeValidator(as_section)]
"""A section, or a name alone for one with its defaults."""
