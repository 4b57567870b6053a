"""Metrics of two models on the same images, and of their difference with its interval.

The interval is that of the evaluation: a Poisson bootstrap over the images, in which both models see the same
replicates, so that the difference is paired (`components/evaluator/bootstrap.py`).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import scipy.stats
import tensorflow as tf

from common.record_features import image_id, slices_of
from components.evaluator.bootstrap import REPLICATES, Frequencies, frequencies, resampled, samples, standard_error
from components.evaluator.counts import Counts, named_metrics
from components.evaluator.model_counts import count_batch
from pipeline.comparison.side import OVERALL

_BATCH = 8
_CONFIDENCE = 0.95


class JudgedImage(NamedTuple):
    """Counts of one image by both models."""

    id: str
    places: tuple[str, ...]
    """`column=value` of its slices."""
    a_CC: Counts
    b_CC: Counts


class Difference(NamedTuple):
    """A metric of both sides; `low` and `high` are the bounds of b − a, if they could be estimated."""

    metric: str
    a: float
    b: float
    low: float | None
    high: float | None

    @property
    def change(self) -> float:
        """b − a."""
        return self.b - self.a

    @property
    def is_clear(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


def judge(a: Any, b: Any, records: Iterable[bytes], num_classes: int) -> Iterator[JudgedImage]:
    """Yields the counts of each record by two loaded models."""
    serialized = iter(records)
    while batch := list(islice(serialized, _BATCH)):
        counts = [count_batch(model, batch, num_classes) for model in (a, b)]
        for record, a_CC, b_CC in zip(batch, *counts, strict=True):
            features = tf.train.Example.FromString(record).features.feature
            places = tuple(f"{column}={value}" for column, value in slices_of(features).items())
            yield JudgedImage(image_id(features), places, a_CC, b_CC)


def differences(judged: Sequence[JudgedImage], classes: Sequence[str]) -> dict[str, list[Difference]]:
    """Returns the metrics of the whole, `OVERALL`, and of each slice, as `column=value`."""
    found = {OVERALL: _differences(judged, classes)}
    for place in sorted({place for image in judged for place in image.places}):
        found[place] = _differences([image for image in judged if place in image.places], classes)
    return found


def most_different(judged: Sequence[JudgedImage], number: int) -> list[JudgedImage]:
    """Returns the images whose share of right pixels differs most between the models, the largest difference first."""
    return sorted(judged, key=lambda image: -abs(accuracy(image.b_CC) - accuracy(image.a_CC)))[:number]


def _differences(judged: Sequence[JudgedImage], classes: Sequence[str]) -> list[Difference]:
    shape = (len(classes), len(classes))
    totals = [sum((counts for counts in side), np.zeros(shape, np.int64)) for side in _sides(judged)]
    a, b = (named_metrics(total, classes) for total in totals)
    errors = _errors(judged, classes)
    t = float(scipy.stats.t.ppf((1 + _CONFIDENCE) / 2, REPLICATES - 1))
    return [
        Difference(name, a[name], b[name], *_bounds(b[name] - a[name], errors.get(name, float("nan")), t))
        for name in a
        if np.isfinite(a[name]) and np.isfinite(b[name])
    ]


def _sides(judged: Sequence[JudgedImage]) -> tuple[list[Counts], list[Counts]]:
    return [image.a_CC for image in judged], [image.b_CC for image in judged]


def _errors(judged: Sequence[JudgedImage], classes: Sequence[str]) -> Mapping[str, float]:
    """Returns the standard error of each metric's difference; none for a single image."""
    if len(judged) < 2:
        return {}
    drawn = [frequencies(image.id.encode()) for image in judged]
    a, b = (samples(_replicates(drawn, side), classes) for side in _sides(judged))
    return {name: standard_error(b[name] - a[name]) for name in a}


def _replicates(drawn: Sequence[Frequencies], side: Sequence[Counts]) -> Counts:
    """Returns the marginals [B, 3, C] of each replicate."""
    return functools.reduce(np.add, map(resampled, drawn, side))


def _bounds(change: float, error: float, t: float) -> tuple[float | None, float | None]:
    return (change - t * error, change + t * error) if np.isfinite(error) else (None, None)


def accuracy(confusion_CC: Counts) -> float:
    """Returns the share of an image's pixels whose class is right; 0 if none counts."""
    return float(np.trace(confusion_CC) / max(1, confusion_CC.sum()))
