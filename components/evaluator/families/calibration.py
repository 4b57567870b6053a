"""Calibration: whether pixels of a confidence of 0.9 are right nine times in ten.

The confidence of a pixel is the probability of its predicted class.  Pixels are put into bins of equal width by it,
each with its upper bound (Guo et al. 2017, "On Calibration of Modern Neural Networks", section 2):

- ECE, the expected calibration error: mean over the pixels of |accuracy − mean confidence| of their bin;
- MCE, the maximum calibration error: the largest difference of a bin that has pixels;
- ECE of a class: that of the pixels that are predicted as the class (Gupta & Ramdas 2022, "Top-label calibration and
  multiclass-to-binary reductions", condition on the predicted class likewise);
- Brier score (Brier 1950): mean over the pixels of (confidence − 1)² where the class is right, else of confidence².
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from common.signatures import CONFIDENCE_BINS, RELIABILITY_SUMS
from components.evaluator.counts import ratio
from components.evaluator.families.config import Calibration
from components.evaluator.families.family import Sums, Values
from components.evaluator.families.names import BRIER_SCORE, ECE, MCE, measured_classes


class CalibrationFamily:
    """`ece`, `mce` and `brier_score` of all pixels, and `ece/<class>` of those that are predicted as the class."""

    def __init__(self, config: Calibration, classes: Sequence[str]) -> None:
        self._bins = config.bins
        self._indices = {name: list(classes).index(name) for name in measured_classes(config, classes)}

    @property
    def size(self) -> int:
        """`RELIABILITY_SUMS` of each bin, of all pixels and of each measured class."""
        return (1 + len(self._indices)) * self._bins * len(RELIABILITY_SUMS)

    def count_bins(self, reliability_CMR: Sums) -> Sums:
        """Returns the figures [1 + classes, bins, R] in one row, from those that the model counted in finer bins."""
        classes, _, sums = reliability_CMR.shape
        wide_CMR = reliability_CMR.reshape(classes, self._bins, CONFIDENCE_BINS // self._bins, sums).sum(axis=2)
        return np.stack([wide_CMR.sum(axis=0), *(wide_CMR[index] for index in self._indices.values())]).ravel()

    def values(self, sums_N: Sums) -> dict[str, Values]:
        """Returns the metrics by name."""
        bins_CMR = self._by_class(sums_N)
        overall_MR = bins_CMR[..., 0, :, :]
        pixels, _, _, squared_error = np.moveaxis(overall_MR.sum(axis=-2), -1, 0)
        return {
            ECE: _expected_error(overall_MR),
            MCE: _maximum_error(overall_MR),
            BRIER_SCORE: ratio(squared_error, pixels),
            **{f"{ECE}/{name}": _expected_error(bins_CMR[..., row, :, :]) for row, name in enumerate(self._indices, 1)},
        }

    def bins(self, sums_N: Sums) -> Sums:
        """Returns the sums of all pixels by bin, [bins, R], which the reliability diagram shows."""
        return self._by_class(sums_N)[0]

    def _by_class(self, sums_N: Sums) -> Sums:
        return sums_N.reshape(*sums_N.shape[:-1], 1 + len(self._indices), self._bins, len(RELIABILITY_SUMS))


def _expected_error(bins_MR: Sums) -> Values:
    pixels, right, confidence, _ = np.moveaxis(bins_MR, -1, 0)
    return ratio(np.abs(right - confidence).sum(axis=-1), pixels.sum(axis=-1))


def _maximum_error(bins_MR: Sums) -> Values:
    pixels, right, confidence, _ = np.moveaxis(bins_MR, -1, 0)
    errors_M = ratio(np.abs(right - confidence), pixels)
    largest = np.where(pixels > 0, errors_M, -np.inf).max(axis=-1)
    return np.where(np.isfinite(largest), largest, np.nan)
