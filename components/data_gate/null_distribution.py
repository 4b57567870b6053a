"""Null distribution of the histogram distance between two samples.

A divergence between histograms is above zero even if nothing has changed, and grows as the number of images falls:
ten images differ from two hundred by more than any sensible threshold.  So a figure counts as drift or skew only if
two samples of these sizes, drawn from the pooled data (a permutation test), were never that far apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from tensorflow_metadata.proto.v0 import statistics_pb2

DRAWS = 2000
"""Number of resampled pairs; with the largest distance as limit, one comparison in 2000 fails by chance."""

Counts = NDArray[np.float64]
Distance = Callable[[Counts, Counts], NDArray[np.float64]]


def jensen_shannon(first_KN: Counts, second_KN: Counts) -> NDArray[np.float64]:
    """Jensen–Shannon divergence in bits, 0…1, along the last axis; J. Lin, IEEE Trans. Inf. Theory 37 (1991)."""
    p, q = _shares(first_KN), _shares(second_KN)
    middle = (p + q) / 2
    return (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2


def infinity_norm(first_KN: Counts, second_KN: Counts) -> NDArray[np.float64]:
    """Largest difference between the shares of one value, 0…1, along the last axis."""
    return np.abs(_shares(first_KN) - _shares(second_KN)).max(axis=-1)


def largest_by_chance(first_N: Counts, second_N: Counts, distance: Distance) -> float:
    """Returns the largest `distance` among `DRAWS` pairs of samples of these sizes, drawn from the pooled data."""
    sizes = [max(1, round(float(counts.sum()))) for counts in (first_N, second_N)]
    together = _shares(first_N + second_N)
    random = np.random.default_rng(0)  # the same data must always get the same verdict
    draws = [random.multinomial(size, together, size=DRAWS).astype(np.float64) for size in sizes]
    return float(distance(*draws).max())


def numeric_counts(
    first: statistics_pb2.NumericStatistics, second: statistics_pb2.NumericStatistics
) -> tuple[Counts, Counts]:
    """Returns both standard histograms over the union of their bin edges; a bin's images are spread evenly over it."""
    histograms = [_standard_histogram(statistics) for statistics in (first, second)]
    borders = np.unique([border for bins in histograms for low, high, _ in bins for border in (low, high)])
    if len(borders) == 1:  # Both have a single value.
        borders = np.array([borders[0], borders[0] + 1])
    return _spread(histograms[0], borders), _spread(histograms[1], borders)


def value_counts(statistics: statistics_pb2.StringStatistics) -> dict[str, float]:
    """Value → how often it occurs."""
    return {bucket.label: bucket.sample_count for bucket in statistics.rank_histogram.buckets}


def aligned_counts(first: Mapping[str, float], second: Mapping[str, float]) -> tuple[list[str], Counts, Counts]:
    """Returns the values of both, and the counts of each in that order."""
    values = sorted({*first, *second})
    return values, _in_order(first, values), _in_order(second, values)


def _in_order(counts: Mapping[str, float], values: list[str]) -> Counts:
    return np.array([counts.get(value, 0.0) for value in values])


def _standard_histogram(statistics: statistics_pb2.NumericStatistics) -> list[tuple[float, float, float]]:
    for histogram in statistics.histograms:
        if histogram.type == statistics_pb2.Histogram.STANDARD:
            return [(bucket.low_value, bucket.high_value, bucket.sample_count) for bucket in histogram.buckets]
    return []


def _spread(bins: list[tuple[float, float, float]], borders: NDArray[np.float64]) -> Counts:
    counts = np.zeros(len(borders) - 1)
    for low, high, count in bins:
        first = min(int(np.searchsorted(borders, low)), len(counts) - 1)
        last = max(int(np.searchsorted(borders, high)), first + 1)
        widths = np.diff(borders[first : last + 1])
        counts[first:last] += count * widths / widths.sum()
    return counts


def _shares(counts_KN: Counts) -> NDArray[np.float64]:
    return counts_KN / np.maximum(counts_KN.sum(axis=-1, keepdims=True), 1e-300)


def _relative_entropy(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    ratio = np.divide(p, q, out=np.ones_like(p), where=p > 0)
    return (p * np.log2(ratio)).sum(axis=-1)
