"""Comparison of two versions' masks, for the decision on a canary; it measures agreement, not quality."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_CLASSES = 256  # Masks are 8-bit indices.


class Agreement(NamedTuple):
    """Agreement of two versions on some images."""

    pictures: int
    equal_pixels: float
    """Share of pixels to which both assign the same class."""
    mean_iou: float
    """IoU of one version's classes with the other's, over all pixels; the mean of the classes that either predicts."""


class Comparison:
    """Accumulates pairs of masks, image by image."""

    def __init__(self) -> None:
        self._counts_CC = np.zeros([_CLASSES, _CLASSES], np.int64)
        self._pictures = 0

    def add(self, stable_HW: np.ndarray, canary_HW: np.ndarray) -> None:
        """Adds the two masks (uint8) of one image.

        Raises:
            ValueError: they differ in size.
        """
        if stable_HW.shape != canary_HW.shape:
            raise ValueError(f"one mask is {stable_HW.shape}, the other {canary_HW.shape}")
        pairs = stable_HW.astype(np.int64) * _CLASSES + canary_HW
        self._counts_CC += np.bincount(pairs.ravel(), minlength=_CLASSES**2).reshape(_CLASSES, _CLASSES)
        self._pictures += 1

    def agreement(self) -> Agreement:
        """Returns the agreement over all images so far.

        Raises:
            ValueError: no images were added.
        """
        if not self._pictures:
            raise ValueError("no images were compared")
        equal_C = np.diag(self._counts_CC)
        union_C = self._counts_CC.sum(0) + self._counts_CC.sum(1) - equal_C
        found_C = union_C > 0
        mean_iou = float(np.mean(equal_C[found_C] / union_C[found_C]))
        return Agreement(self._pictures, float(equal_C.sum() / self._counts_CC.sum()), mean_iou)
