"""Configuration of images with named bands at full depth."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from common.band_image import MAX_BANDS
from common.settings import Settings

BandNames = tuple[str, ...]


class BandsConfig(Settings):
    """Bands of the images, kept at full depth: PNG and TIFF files with samples of 8 or 16 bits or floating point.

    The bands of a file are the samples of a pixel as stored (alpha is a band too) or, in a TIFF, the samples of all
    pages in their order.
    """

    names: BandNames = Field(
        min_length=1,
        max_length=MAX_BANDS,
        description="Names of all bands of a file, in its order.",
        examples=["[red, green, blue, nir, dsm]"],
    )
    use: BandNames | None = Field(
        default=None,
        min_length=1,
        description="Names of the bands that the model gets, in this order; default: all.",
        examples=["[nir, red, green]"],
    )
    depth: Literal["uint8", "uint16", "float32"] = Field(
        default="uint16",
        description="Type of the samples; a file with another type is quarantined. `float32` takes any numbers that it "
        "holds exactly, such as signed ones of 16 bits.",
    )

    @model_validator(mode="after")
    def _names_fit(self) -> BandsConfig:
        for key, names in (("names", self.names), ("use", self.use or ())):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{key}: band {twice[0]!r} is named twice")
        unknown = [name for name in self.use or () if name not in self.names]
        if unknown:
            raise ValueError(f"use: unknown band {unknown[0]!r}; names has {', '.join(self.names)}")
        return self

    @property
    def used(self) -> BandNames:
        """Names of the bands of a record."""
        return self.names if self.use is None else self.use

    @property
    def places(self) -> list[int]:
        """Positions of the used bands in a file."""
        return [self.names.index(name) for name in self.used]
