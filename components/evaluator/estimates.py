"""Reads TFMA's result files."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import example_count
from tensorflow_model_analysis.proto import metrics_for_slice_pb2

from common.records import SLICE_PREFIX
from common.signatures import RELIABILITY_SUMS
from components.evaluator.counts import ratio
from components.evaluator.families.names import DISTANCES
from components.evaluator.metrics import CONFUSION_METRIC, RELIABILITY_METRIC
from components.evaluator.results import ConfidenceBin, Estimate, Measured, SliceMetrics
from components.evaluator.thresholds import OVERALL_METRICS

_Values = dict[str, metrics_for_slice_pb2.MetricsForSlice.MetricKeyAndValue]


def read(folder: str, classes: Sequence[str], model_name: str = "", further: Sequence[str] = ()) -> Measured | None:
    """Reads what `measuring.measure` wrote to `folder` on one model; `None` if there was no image.

    Args:
        folder: the output folder of the measurement.
        classes: names of the classes.
        model_name: the model's name; a model that is evaluated alone has no name in TFMA.
        further: names of the metrics of `evaluator.metrics`.
    """
    slices = [_slice_metrics(proto, classes, model_name, further) for proto in tfma.load_metrics(folder)]
    overall = [metrics for metrics in slices if metrics.column is None and metrics.pictures]
    if not overall:
        return None
    parts = (metrics for metrics in slices if metrics.column is not None)
    return Measured(overall=overall[0], slices=tuple(sorted(parts, key=lambda part: (part.column, part.value))))


def _slice_metrics(
    proto: metrics_for_slice_pb2.MetricsForSlice, classes: Sequence[str], model_name: str, further: Sequence[str]
) -> SliceMetrics:
    values: _Values = {
        entry.key.name: entry
        for entry in proto.metric_keys_and_values
        if entry.key.model_name == model_name and not entry.key.is_diff
    }
    column, value = _column_and_value(proto.slice_key)
    return SliceMetrics(
        column=column,
        value=value,
        pictures=round(values[example_count.EXAMPLE_COUNT_NAME].value.double_value.value),
        iou={name: _estimate(values[f"iou/{name}"]) for name in classes},
        dice={name: _estimate(values[f"dice/{name}"]) for name in classes},
        confusion=_matrix(values[CONFUSION_METRIC].value.array_value, len(classes)),
        further={name: _estimate(values[name]) for name in further},
        reliability=_reliability(values[RELIABILITY_METRIC].value.array_value),
        **{name: _estimate(values[name]) for name in OVERALL_METRICS},
    )


def _column_and_value(key: metrics_for_slice_pb2.SliceKey) -> tuple[str | None, str | None]:
    if not key.single_slice_keys:
        return None, None
    (part,) = key.single_slice_keys
    value = getattr(part, part.WhichOneof("kind"))
    return part.column.removeprefix(SLICE_PREFIX), value.decode() if isinstance(value, bytes) else str(value)


def _estimate(entry: metrics_for_slice_pb2.MetricsForSlice.MetricKeyAndValue) -> Estimate:
    value = _finite(entry.value.double_value.value)
    if value is None or not entry.HasField("confidence_interval"):
        return Estimate(value=value)
    interval = entry.confidence_interval
    low, high = (_finite(bound.double_value.value) for bound in (interval.lower_bound, interval.upper_bound))
    if low is None or high is None:
        return Estimate(value=value)
    # The interval is symmetrical about the value, but a ratio stays in [0, 1], and a distance is not negative.
    highest = math.inf if entry.key.name.partition("/")[0] in DISTANCES else 1.0
    return Estimate(value=value, low=max(0.0, low), high=min(highest, high))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _matrix(array: metrics_for_slice_pb2.ArrayValue, size: int) -> tuple[tuple[int, ...], ...]:
    counts = [int(count) for count in array.int64_values]
    return tuple(tuple(counts[row * size : (row + 1) * size]) for row in range(size))


def _reliability(array: metrics_for_slice_pb2.ArrayValue) -> tuple[ConfidenceBin, ...]:
    sums_MR = np.reshape(array.float64_values, (-1, len(RELIABILITY_SUMS)))
    shares = ratio(sums_MR[:, 1:3], sums_MR[:, :1].repeat(2, axis=1))
    return tuple(
        ConfidenceBin(
            low=index / len(sums_MR),
            high=(index + 1) / len(sums_MR),
            pixels=round(pixels),
            accuracy=_finite(accuracy),
            confidence=_finite(confidence),
        )
        for index, (pixels, (accuracy, confidence)) in enumerate(zip(sums_MR[:, 0], shares, strict=True))
    )
