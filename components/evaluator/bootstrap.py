"""95 % confidence intervals by Poisson bootstrap over the images, in one pass.

Each image enters each of B replicates a Poisson(1)-distributed number of times (Hanley & MacGibbon 2006,
"Creating non-parametric bootstrap samples using Poisson frequencies"); the standard deviation of a metric over the
replicates estimates its standard error, and the interval is the value ± Student's t of it (Efron & Tibshirani 1993,
chapter 12).  The frequencies are seeded by the image's name: every slice, the model and its baseline see the same
ones, on any runner and in any order, so results are reproducible and differences are paired.

TFMA implements the same method as B copies of its whole graph: 20 replicates cost 4 to 10 seconds for any number of
images, and change with every run.  Here 200 replicates are additional sums in the same pass.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from components.evaluator.counts import Counts, Ratios, marginals, named_metrics_of_marginals

REPLICATES = 200
MAX_ABSENT = 0.05
"""Share of replicates that may lack a class; if more do, too few images show it for an interval."""

Frequencies = npt.NDArray[np.uint8]


def frequencies(image_id: bytes, replicates: int = REPLICATES) -> Frequencies:
    """Returns how often the image of that name enters each replicate [B]."""
    seed = int.from_bytes(hashlib.blake2b(image_id, digest_size=8).digest(), "big")
    return np.random.default_rng(seed).poisson(1.0, replicates).astype(np.uint8)


def resampled(frequencies_B: Frequencies, confusion_CC: Counts) -> Counts:
    """Returns an image's contribution to the marginals [B, 3, C] of the replicates."""
    return frequencies_B.astype(np.int64)[:, None, None] * np.stack(marginals(confusion_CC))


def samples(replicates_B3C: Counts, classes: Sequence[str]) -> dict[str, Ratios]:
    """Returns every metric on every replicate [B]; NaN if a replicate lacks the class."""
    return named_metrics_of_marginals(replicates_B3C, classes)


def standard_error(samples_B: Ratios) -> float:
    """Returns the standard deviation of a metric over its replicates; NaN if too many lack it."""
    present = samples_B[~np.isnan(samples_B)]
    if present.size < max(2, (1 - MAX_ABSENT) * samples_B.size):
        return float("nan")
    return float(present.std(ddof=1))
