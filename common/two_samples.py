"""Two-sample tests: Kolmogorov–Smirnov for each feature, Holm's correction over all features.

The distance is the largest difference between the two empirical distribution functions (Smirnov 1939).  Its p-value
is that of the one-sample statistic with n·m/(n + m) values, as SciPy's `ks_2samp` approximates it; equal values make it
too large, never too small.  Holm's step-down procedure (1979) keeps the probability of any false alarm in a window
below the chosen rate, whatever the dependence between the features.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import kstwo

_DIGITS = 4

Values = npt.NDArray[np.float64]


def distance(first_N: Values, second_M: Values) -> float:
    """Returns the Kolmogorov–Smirnov distance between two samples, 0…1."""
    first_N, second_M = np.sort(first_N), np.sort(second_M)
    both = np.concatenate([first_N, second_M])
    shares_first = np.searchsorted(first_N, both, side="right") / first_N.size
    shares_second = np.searchsorted(second_M, both, side="right") / second_M.size
    return float(np.abs(shares_first - shares_second).max())


def p_values(distances_F: Values, first: Values, second: Values) -> Values:
    """Returns the probability of distances at least as large between samples of one distribution.

    Args:
        distances_F: Distance of each feature.
        first: Number of independent values of each feature in one sample.
        second: The same in the other.
    """
    effective = np.maximum(1, np.round(first * second / (first + second)))
    return np.clip(kstwo.sf(distances_F, effective), 0, 1)


def least_significant(first: float, second: float, features: int, level: float) -> float:
    """Returns the smallest distance that is significant if it is that of one of so many features."""
    effective = max(1, round(first * second / (first + second)))
    return float(kstwo.isf(level / features, effective))


def holm(p_F: Values) -> Values:
    """Returns p-values that are corrected for their number: those below α are significant together at the level α."""
    count = p_F.size
    order = np.argsort(p_F, kind="stable")
    raised = np.maximum.accumulate(p_F[order] * (count - np.arange(count)))
    corrected = np.empty(count)
    corrected[order] = np.minimum(raised, 1)
    return corrected


def as_values(values: Sequence[float | None]) -> Values:
    """Returns the known values, of single precision and rounded to four digits.

    A log has single precision and a reference four digits: a value that all images have would differ in its last bits,
    which is the largest distance.
    """
    known = np.array([value for value in values if value is not None], np.float32).astype(np.float64)
    digits = _DIGITS - 1 - np.floor(np.log10(np.abs(np.where(known == 0, 1, known))))
    return np.round(known * 10**digits) / 10**digits
