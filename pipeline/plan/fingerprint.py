"""Fingerprint of the training data: the figures that settings are planned from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MOST_VALUES = 20
"""A slicing column with more values, such as a date, is not planned by."""

Widths = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ImageFacts:
    """Figures of one training image."""

    height: int
    width: int
    brightness: float
    """Mean luma, 0…1."""
    contrast: float
    """Standard deviation of luma, 0…1."""
    slices: Mapping[str, str]
    object_widths: Mapping[int, Widths]
    """Class → width of each object in pixels of the file: the root of its area."""


@dataclass(frozen=True)
class Fingerprint:
    """Figures of all training images; there is at least one."""

    images: tuple[ImageFacts, ...]
    classes: tuple[str, ...]
    class_pixels: tuple[int, ...]
    """Training pixels of each class."""

    def median_size(self, scale: float = 1.0) -> tuple[float, float]:
        """Returns the median height and the median width, times `scale`."""
        heights = [image.height for image in self.images]
        widths = [image.width for image in self.images]
        return float(np.median(heights)) * scale, float(np.median(widths)) * scale

    def pixels(self, scale: float = 1.0) -> float:
        """Returns the number of pixels of all images, each resized by `scale`."""
        return float(sum(image.height * image.width for image in self.images)) * scale**2

    def counts(self, column: str) -> dict[str, int]:
        """Returns the values of a slicing column, with the number of images of each; empty if it is not in all."""
        values = [image.slices[column] for image in self.images if column in image.slices]
        if len(values) < len(self.images):
            return {}
        return {value: values.count(value) for value in sorted(set(values))}
