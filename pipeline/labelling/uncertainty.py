"""Uncertainty of a model about an image, from its class probabilities.

Both measures are means over the pixels, and are 0 where one class has all probability and 1 where all classes are
equally likely (Settles, Active Learning Literature Survey, 2009, section 3.1):

- entropy: −Σ p·log p of a pixel, divided by log C;
- margin: 1 − (p₁ − p₂), with the probabilities of the likeliest and the second class.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]


class Uncertainty(NamedTuple):
    """Means over the pixels of an image, 0 (certain) to 1."""

    entropy: float
    margin: float


class UncertaintySum:
    """Adds up the uncertainty of an image that comes in parts, so that not all its probabilities are held."""

    def __init__(self) -> None:
        self._entropy = self._margin = 0.0
        self._pixels = 0

    def add(self, probabilities_HWC: Floats) -> None:
        """Adds the pixels of a part."""
        self._entropy += float(entropy(probabilities_HWC).sum(dtype=np.float64))
        self._margin += float(margin(probabilities_HWC).sum(dtype=np.float64))
        self._pixels += probabilities_HWC[..., 0].size

    def mean(self) -> Uncertainty:
        """Returns the means over all pixels that were added, of which there is one at least."""
        return Uncertainty(self._entropy / self._pixels, self._margin / self._pixels)


def entropy(probabilities: Floats) -> Floats:
    """Returns the entropy over the last axis as a share of that of equally likely classes."""
    logarithms = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))
    return np.clip(-(probabilities * logarithms).sum(axis=-1) / np.log(probabilities.shape[-1]), 0, 1)


def margin(probabilities: Floats) -> Floats:
    """Returns 1 − the difference of the two largest probabilities on the last axis."""
    largest_two = np.partition(probabilities, -2, axis=-1)[..., -2:]
    return np.clip(1 - (largest_two[..., 1] - largest_two[..., 0]), 0, 1)
