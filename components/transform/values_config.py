"""Configuration of how samples of bands become the network's input."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from common.settings import Settings


class FullRange(Settings):
    """The range of the type: 0…255 or 0…65535; floating point has none."""

    type: Literal["full"] = "full"


class FixedRange(Settings):
    """A range that is the same for all bands; samples outside count as its ends."""

    type: Literal["fixed"] = "fixed"
    low: float = Field(description="The sample that becomes 0.", examples=["0"])
    high: float = Field(description="The sample that becomes 255.", examples=["10000"])

    @model_validator(mode="after")
    def _rising(self) -> FixedRange:
        if self.low >= self.high:
            raise ValueError(f"low ({self.low:g}) must be below high ({self.high:g})")
        return self


class PercentileRange(Settings):
    """A range for each band, between two percentiles of its samples in the training images."""

    type: Literal["percentile"] = "percentile"
    low: float = Field(default=0.5, ge=0.1, le=99.9, description="The percentile that becomes 0.")
    high: float = Field(default=99.5, ge=0.1, le=99.9, description="The percentile that becomes 255.")

    @model_validator(mode="after")
    def _rising(self) -> PercentileRange:
        if self.low >= self.high:
            raise ValueError(f"low ({self.low:g}) must be below high ({self.high:g})")
        return self


Values = Annotated[FullRange | FixedRange | PercentileRange, Field(discriminator="type")]
