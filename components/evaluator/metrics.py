"""The TFMA metric: adds up confusion counts and divides at the very end."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
from pydantic import TypeAdapter
from tensorflow_model_analysis import constants
from tensorflow_model_analysis.api import types
from tensorflow_model_analysis.metrics import metric_types, metric_util

from common.signatures import CONFUSION
from components.evaluator import bootstrap
from components.evaluator.counts import Counts, named_metrics
from components.evaluator.families.build import Families
from components.evaluator.families.config import Family
from components.evaluator.families.family import Sums as FamilySums

CONFUSION_METRIC = "confusion"
"""Name of the array-valued metric [C, C] that holds the counts themselves."""

RELIABILITY_METRIC = "reliability"
"""Name of the array-valued metric [bins, R] with the sums of each bin of confidence, if calibration is measured."""

FREQUENCIES_FEATURE = "bootstrap/frequencies"
"""Key of the extract under `features` with how often an image enters each replicate of the bootstrap."""

FAMILIES = "families"
"""Key of the prediction with an image's figures for the further metrics, [N]."""

# TFMA drops metrics whose names begin with one underscore before it writes.
_REPLICATES_METRIC = "_replicates"
_FAMILY_REPLICATES_METRIC = "_family_replicates"


class SegmentationMetrics(metric_types.Metric):
    """IoU, Dice and pixel accuracy from a model that outputs confusion counts [C·C] for each image.

    In an EvalConfig: `MetricConfig(class_name="SegmentationMetrics", module="components.evaluator.metrics",
    config='{"classes": ["background", "nucleus"]}')`.  The metrics have the names that thresholds use (`mean_iou`,
    `iou/<class>` …), and `confusion` is the matrix behind them.  With replicates, for which each image brings its
    `FREQUENCIES_FEATURE`, every metric and every difference to a baseline's has a 95 % interval.  `families` are the
    sections of `evaluator.metrics`, for which each image brings its `FAMILIES`.
    """

    def __init__(
        self,
        classes: Sequence[str],
        replicates: int = 0,
        families: Sequence[dict[str, Any]] = (),
        name: str = "segmentation",
    ) -> None:
        super().__init__(
            metric_util.merge_per_key_computations(_computations),
            name=name,
            classes=[str(c) for c in classes],
            replicates=replicates,
            families=list(families),
        )


metric_types.register_metric(SegmentationMetrics)


def _computations(
    classes: list[str],
    replicates: int,
    families: list[dict[str, Any]],
    name: str,
    eval_config: Any = None,
    model_name: str = "",
) -> metric_types.MetricComputations:
    """Returns the computations for one model: its sums and the intervals; TFMA passes arguments by name."""
    del name  # the metrics have names of their own
    further = Families(TypeAdapter(tuple[Family, ...]).validate_python(families), classes)
    combiner = CountsCombiner(classes, replicates, further, model_name)
    inputs: dict[str, Any] = {constants.PREDICTIONS_KEY: {}}
    if not replicates:
        return [metric_types.MetricComputation(combiner.keys, [_preprocessor(inputs)], combiner)]
    inputs[constants.FEATURES_KEY] = {FREQUENCIES_FEATURE: {}}
    baselines = [spec.name for spec in eval_config.model_specs if spec.is_baseline] if eval_config else []
    baseline_name = baselines[0] if baselines else model_name
    intervals = functools.partial(_with_intervals, classes, further, model_name, baseline_name)
    return [
        metric_types.MetricComputation(combiner.keys, [_preprocessor(inputs)], combiner),
        metric_types.CIDerivedMetricComputation(combiner.keys, intervals),
    ]


def _preprocessor(inputs: dict[str, Any]) -> metric_types.Preprocessor:
    return metric_types.StandardMetricInputsPreprocessor(include_filter=inputs, include_default_inputs=False)


class Sums(NamedTuple):
    """Accumulator of a slice: its counts, and those of the bootstrap replicates."""

    confusion_CC: Counts
    replicates_B3C: Counts
    families_N: FamilySums
    family_replicates_BN: FamilySums


class CountsCombiner(beam.CombineFn):
    """Sums the counts of images; its output is every metric of `counts.named_metrics` and the families, and sums."""

    def __init__(self, classes: Sequence[str], replicates: int, families: Families, model_name: str) -> None:
        self._classes = tuple(classes)
        self._replicates = replicates
        self._families = families
        self._model_name = model_name

    @property
    def keys(self) -> list[metric_types.MetricKey]:
        return list(self.extract_output(self.create_accumulator()))

    def create_accumulator(self) -> Sums:
        size, further = len(self._classes), self._families.size
        return Sums(
            np.zeros((size, size), np.int64),
            np.zeros((self._replicates, 3, size), np.int64),
            np.zeros(further),
            np.zeros((self._replicates, further)),
        )

    def add_input(self, accumulator: Sums, element: metric_types.StandardMetricInputs) -> Sums:
        predictions = element.get_predictions(self._model_name)
        families_N = np.zeros(0)
        if self._families.size:
            predictions, families_N = predictions[CONFUSION], np.asarray(predictions[FAMILIES])
        counts = np.asarray(predictions)
        if counts.size != accumulator.confusion_CC.size:
            raise ValueError(f"the model gives {counts.size} counts, expected {accumulator.confusion_CC.size}")
        confusion_CC = counts.reshape(accumulator.confusion_CC.shape).astype(np.int64)
        frequencies_B = np.zeros(0, np.uint8)
        if self._replicates:
            frequencies_B = np.ravel(element.get_features()[FREQUENCIES_FEATURE])
        replicates_B3C = bootstrap.resampled(frequencies_B, confusion_CC)
        return _added(accumulator, Sums(confusion_CC, replicates_B3C, families_N, frequencies_B[:, None] * families_N))

    def merge_accumulators(self, accumulators: Iterable[Sums]) -> Sums:
        return functools.reduce(_added, accumulators, self.create_accumulator())

    def extract_output(self, accumulator: Sums) -> dict[metric_types.MetricKey, Any]:
        values: dict[str, Any] = {
            **named_metrics(accumulator.confusion_CC, self._classes),
            **{name: float(value) for name, value in self._families.values(accumulator.families_N).items()},
            CONFUSION_METRIC: accumulator.confusion_CC,
            RELIABILITY_METRIC: self._families.reliability(accumulator.families_N),
            _REPLICATES_METRIC: accumulator.replicates_B3C,
            _FAMILY_REPLICATES_METRIC: accumulator.family_replicates_BN,
        }
        return {_key(name, self._model_name): value for name, value in values.items()}


def _added(sums: Sums, more: Sums) -> Sums:
    """Adds in place: Beam allows a combiner to modify its own accumulator, which is not shared."""
    for total, addend in zip(sums, more, strict=True):
        np.add(total, addend, out=total)
    return sums


def _key(name: str, model_name: str) -> metric_types.MetricKey:
    # Images have no weights; with `None` TFMA also finds thresholds that an EvalConfig sets by name.
    return metric_types.MetricKey(name, model_name=model_name, example_weighted=None)


def _with_intervals(
    classes: list[str],
    families: Families,
    model_name: str,
    baseline_name: str,
    metrics: dict[metric_types.MetricKey, Any],
) -> dict[metric_types.MetricKey, types.ValueWithTDistribution]:
    """The model's metrics, and their differences to the baseline's, with their standard errors."""
    of_model = _samples(classes, families, model_name, metrics)
    samples = {_key(name, model_name): values for name, values in of_model.items()}
    if baseline_name != model_name:
        reference = _samples(classes, families, baseline_name, metrics)
        samples |= {key.make_diff_key(): values - reference[key.name] for key, values in samples.items()}
    return {key: _with_interval(metrics[key], values) for key, values in samples.items()}


def _samples(
    classes: list[str], families: Families, model_name: str, metrics: dict[metric_types.MetricKey, Any]
) -> dict[str, bootstrap.Ratios]:
    return {
        **bootstrap.samples(metrics[_key(_REPLICATES_METRIC, model_name)], classes),
        **families.values(metrics[_key(_FAMILY_REPLICATES_METRIC, model_name)]),
    }


def _with_interval(value: float, samples_B: bootstrap.Ratios) -> types.ValueWithTDistribution:
    return types.ValueWithTDistribution(
        sample_mean=value,
        sample_standard_deviation=bootstrap.standard_error(samples_B),
        sample_degrees_of_freedom=samples_B.size - 1,
        unsampled_value=value,
    )
