"""Checks of the data gate, one function per check; each returns its findings, passed or failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, path_pb2, schema_pb2, statistics_pb2

from common.plurals import counted
from common.records import SPLITS, slice_feature
from components.data_gate import null_distribution
from components.data_gate.class_checks import check_classes, check_void
from components.data_gate.config import ValidationConfig
from components.data_gate.fold_checks import check_folds
from components.data_gate.label_checks import check_labels
from components.data_gate.result import Finding
from components.example_gen.causes import describe_cause
from components.example_gen.quarantine import IngestionSummary

Statistics: TypeAlias = statistics_pb2.DatasetFeatureStatisticsList
_Measurement = anomalies_pb2.DriftSkewInfo.Measurement

_MEASURES = {
    _Measurement.L_INFTY: "L-infinity distance",
    _Measurement.JENSEN_SHANNON_DIVERGENCE: "Jensen–Shannon divergence",
    _Measurement.NORMALIZED_ABSOLUTE_DIFFERENCE: "normalised absolute difference",
}
_DISTANCES: dict[int, null_distribution.Distance] = {
    _Measurement.L_INFTY: null_distribution.infinity_norm,
    _Measurement.JENSEN_SHANNON_DIVERGENCE: null_distribution.jensen_shannon,
}


def check_ingestion(summary: IngestionSummary, config: ValidationConfig) -> list[Finding]:
    """Runs the checks that need only ingestion's summary; used by the data gate and `segpipe check`."""
    return [
        *check_labels(summary),  # First, because they name the cause of the other findings.
        *check_size(summary, config.min_pairs),
        *check_folds(summary, config),
        *check_quarantine(summary, config.max_quarantined),
        *check_classes(summary, config),
        *check_void(summary, config.max_void),
    ]


def check_size(summary: IngestionSummary, min_pairs: int) -> list[Finding]:
    """Checks that each split has `min_pairs` pairs."""
    return [_check_split_size(split, summary.used.get(split, 0), min_pairs) for split in SPLITS]


def check_quarantine(summary: IngestionSummary, max_quarantined: float) -> list[Finding]:
    """Checks that at most `max_quarantined` of the pairs found are quarantined."""
    quarantined = sum(summary.quarantined.values())
    share = quarantined / summary.found if summary.found else 0.0
    reasons = sorted(summary.quarantined.items(), key=lambda item: (-item[1], item[0]))
    detail = (
        f"{quarantined} of {summary.found} pairs are quarantined: {share:.1%}, at most {max_quarantined:.1%} may be"
    )
    if quarantined:
        detail += f" ({', '.join(f'{count} {reason}' for reason, count in reasons if count)})"
    passed = share <= max_quarantined
    if not passed and summary.causes:
        detail += f"; most often: {describe_cause(summary.causes[0])}"
    return [Finding(check="quarantine", passed=passed, detail=detail)]


def check_schema(anomalies: Mapping[str, anomalies_pb2.Anomalies]) -> list[Finding]:
    """Reports the anomalies of ExampleValidator in each split; a split without any gets one passed finding."""
    findings: list[Finding] = []
    for split, found in anomalies.items():
        findings += _check_split_schema(split, found)
    return findings


def check_drift(
    train: Statistics, schema: schema_pb2.Schema, previous: Statistics | None, against: str | None
) -> list[Finding]:
    """Checks drift of `train` from `previous`, the last accepted training data, with fingerprint `against`.

    The largest figures relative to their thresholds come first.
    """
    if previous is None:
        return [Finding(check="drift", passed=True, detail="no data was accepted before, so drift is not measured")]
    anomalies = tfdv.validate_statistics(train, schema, previous_statistics=previous)
    comparison = _Comparison("drift", "train", f"drifted since data {(against or '')[:12]}", previous, train)
    measured = [(info.path, figure) for info in anomalies.drift_skew_info for figure in info.drift_measurements]
    return [comparison.judge(path, figure) for path, figure in sorted(measured, key=_excess, reverse=True)]


def check_skew(train: Statistics, others: Mapping[str, Statistics], schema: schema_pb2.Schema) -> list[Finding]:
    """Checks skew between `train` and each of the `others`, split → statistics.

    The largest figures relative to their thresholds come first.
    """
    measured = []
    for split, statistics in others.items():
        anomalies = tfdv.validate_statistics(train, schema, serving_statistics=statistics)
        comparison = _Comparison("skew", split, f"differs between train and {split}", train, statistics)
        measured += [
            (info.path, figure, comparison) for info in anomalies.drift_skew_info for figure in info.skew_measurements
        ]
    return [comparison.judge(path, figure) for path, figure, comparison in sorted(measured, key=_excess, reverse=True)]


def slice_values(statistics: Statistics, column: str) -> set[str]:
    """The values of a slicing column or bucket that occur in `statistics`."""
    feature = _by_feature(statistics).get(slice_feature(column))
    return set() if feature is None else {*null_distribution.value_counts(feature.string_stats)}


class _Comparison:
    """Compares two sets of statistics and judges each distance that TFDV measured between them."""

    def __init__(self, check: str, split: str, verb: str, before: Statistics, after: Statistics) -> None:
        self.check, self.split, self.verb = check, split, verb
        self._before, self._after = _by_feature(before), _by_feature(after)

    def judge(self, path: path_pb2.Path, measurement: anomalies_pb2.DriftSkewInfo.Measurement) -> Finding:
        """Returns one finding: a figure fails if it exceeds the threshold and the limit of the null distribution."""
        feature = _name(path)
        figure = f"{_MEASURES.get(measurement.type, 'difference')} {measurement.value:.3g}"
        moved = self._what_moved(feature)
        if measurement.value <= measurement.threshold:
            detail = f"{feature}: {figure} for {self.split}, the schema allows {measurement.threshold:.3g}{moved}"
            return self._finding(feature, True, detail)
        detail = f"{feature} {self.verb}: {figure} over the schema's threshold {measurement.threshold:.3g}{moved}"
        limit = self._by_chance(feature, measurement.type)
        if measurement.value <= limit:
            return self._finding(
                feature, True, f"{detail}, but with so few images a difference of {limit:.3g} can arise by chance"
            )
        return self._finding(feature, False, detail)

    def _finding(self, feature: str, passed: bool, detail: str) -> Finding:
        return Finding(check=self.check, split=self.split, feature=feature, passed=passed, detail=detail)

    def _by_chance(self, feature: str, measure: int) -> float:
        before, after = self._before.get(feature), self._after.get(feature)
        if before is None or after is None or measure not in _DISTANCES:
            return 0.0
        if before.HasField("num_stats") and after.HasField("num_stats"):
            first, second = null_distribution.numeric_counts(before.num_stats, after.num_stats)
        else:
            _, first, second = _values(before, after)
        return null_distribution.largest_by_chance(first, second, _DISTANCES[measure])

    def _what_moved(self, feature: str) -> str:
        before, after = self._before.get(feature), self._after.get(feature)
        if before is None or after is None:
            return ""
        if before.HasField("num_stats") and after.HasField("num_stats"):
            return f" (mean {before.num_stats.mean:.3g} → {after.num_stats.mean:.3g})"
        return _most_moved_value(before, after)


def _check_split_size(split: str, pairs: int, min_pairs: int) -> Finding:
    is_enough = pairs >= min_pairs
    detail = f"{split} has {counted(pairs, 'pair')}, {'and' if is_enough else 'but'} needs at least {min_pairs}"
    return Finding(check="size", split=split, passed=is_enough, detail=detail)


def _check_split_schema(split: str, anomalies: anomalies_pb2.Anomalies) -> list[Finding]:
    found = [(_name(info.path) or key, info) for key, info in sorted(anomalies.anomaly_info.items())]
    if anomalies.HasField("dataset_anomaly_info"):
        found.append(("", anomalies.dataset_anomaly_info))
    if not found:
        detail = f"{split} has no data" if anomalies.data_missing else f"{split} matches the schema"
        return [Finding(check="schema", split=split, passed=not anomalies.data_missing, detail=detail)]
    return [_anomaly(split, feature or None, info) for feature, info in found]


def _anomaly(split: str, feature: str | None, info: anomalies_pb2.AnomalyInfo) -> Finding:
    detail = f"{feature or 'the data'} in {split} does not match the schema: {info.description.rstrip('.')}"
    passed = info.severity == anomalies_pb2.AnomalyInfo.WARNING
    return Finding(check="schema", split=split, feature=feature, passed=passed, detail=detail)


def _by_feature(statistics: Statistics) -> dict[str, statistics_pb2.FeatureNameStatistics]:
    return {_name(feature.path): feature for dataset in statistics.datasets for feature in dataset.features}


def _values(
    before: statistics_pb2.FeatureNameStatistics, after: statistics_pb2.FeatureNameStatistics
) -> tuple[list[str], null_distribution.Counts, null_distribution.Counts]:
    return null_distribution.aligned_counts(
        null_distribution.value_counts(before.string_stats), null_distribution.value_counts(after.string_stats)
    )


def _most_moved_value(before: statistics_pb2.FeatureNameStatistics, after: statistics_pb2.FeatureNameStatistics) -> str:
    values, first, second = _values(before, after)
    if not first.sum() or not second.sum():
        return ""
    shares_before, shares_after = first / first.sum(), second / second.sum()
    most = int(abs(shares_after - shares_before).argmax())
    return f" ({values[most]!r} {shares_before[most]:.1%} → {shares_after[most]:.1%})"


def _excess(measured: tuple[Any, ...]) -> float:
    """Ratio of a figure to its threshold."""
    figure = measured[1]
    return figure.value / max(figure.threshold, 1e-9)


def _name(path: path_pb2.Path) -> str:
    return ".".join(path.step)
