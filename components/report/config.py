"""Configuration of the report."""

from __future__ import annotations

from pydantic import Field

from common.settings import Settings


class ReportConfig(Settings):
    """Size of the report."""

    best: int = Field(default=4, ge=0, le=50, description="Number of best predictions shown.")
    worst: int = Field(default=8, ge=0, le=50, description="Number of worst predictions shown.")
    worst_of_class: int = Field(default=2, ge=0, le=10, description="Number of worst predictions shown for each class.")
    thumbnail: int = Field(
        default=512,
        ge=32,
        le=1024,
        description="Longer side of an image in the report, pixels; of many images less, so that the page has at most "
        "5 MB.",
    )
    scored: int = Field(
        default=500, ge=0, description="Number of images of the evaluated split among which best and worst are chosen."
    )
