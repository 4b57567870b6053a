"""The metric that TFMA runs: it adds up confusion counts and divides at the very end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
from tensorflow_model_analysis import constants
from tensorflow_model_analysis.metrics import metric_types, metric_util

from components.evaluator.counts import Counts, named_metrics

CONFUSION_METRIC = "confusion"
"""Name of the array-valued metric [C, C] that holds the counts themselves."""


class SegmentationMetrics(metric_types.Metric):
    """IoU, Dice and pixel accuracy from a model that outputs confusion counts [C·C] for each picture.

    In an EvalConfig: `MetricConfig(class_name="SegmentationMetrics", module="components.evaluator.metrics",
    config='{"classes": ["background", "nucleus"]}')`.  The metrics have the names that thresholds use (`mean_iou`,
    `iou/<class>` …), and `confusion` is the matrix behind them.
    """

    def __init__(self, classes: Sequence[str], name: str = "segmentation") -> None:
        super().__init__(
            metric_util.merge_per_key_computations(_computations), name=name, classes=[str(c) for c in classes]
        )


metric_types.register_metric(SegmentationMetrics)


def _computations(classes: list[str], name: str, model_name: str = "") -> metric_types.MetricComputations:
    """One computation a model; TFMA asks by the arguments' names."""
    del name  # the metrics have names of their own
    predictions = metric_types.StandardMetricInputsPreprocessor(
        include_filter={constants.PREDICTIONS_KEY: {}}, include_default_inputs=False
    )
    combiner = ConfusionCombiner(classes, model_name)
    return [metric_types.MetricComputation(keys=combiner.keys, preprocessors=[predictions], combiner=combiner)]


class ConfusionCombiner(beam.CombineFn):
    """Sums the counts of pictures; its output is every metric of `counts.named_metrics`, and the counts."""

    def __init__(self, classes: Sequence[str], model_name: str) -> None:
        self._classes = tuple(classes)
        self._model_name = model_name

    @property
    def keys(self) -> list[metric_types.MetricKey]:
        return [self._key(name) for name in (*named_metrics(self.create_accumulator(), self._classes), CONFUSION_METRIC)]

    def create_accumulator(self) -> Counts:
        return np.zeros((len(self._classes), len(self._classes)), np.int64)

    def add_input(self, accumulator: Counts, element: metric_types.StandardMetricInputs) -> Counts:
        counts = np.asarray(element.get_predictions(self._model_name))
        if counts.size != accumulator.size:
            raise ValueError(f"the model counts {counts.size} pairs of classes, expected {accumulator.size}")
        accumulator += counts.reshape(accumulator.shape).astype(np.int64)
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[Counts]) -> Counts:
        return sum(accumulators, start=self.create_accumulator())

    def extract_output(self, accumulator: Counts) -> dict[metric_types.MetricKey, Any]:
        metrics = named_metrics(accumulator, self._classes)
        return {self._key(name): value for name, value in metrics.items()} | {self._key(CONFUSION_METRIC): accumulator}

    def _key(self, name: str) -> metric_types.MetricKey:
        # Pictures have no weights; with `None` TFMA also finds thresholds that an EvalConfig sets by name.
        return metric_types.MetricKey(name, model_name=self._model_name, example_weighted=None)
