"""Runs all checks of the data gate, for the pipeline's step and for `segpipe check`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from components.data_gate import checks
from components.data_gate.config import ValidationConfig
from components.data_gate.result import Finding, GateReport
from components.data_gate.slice_checks import check_slices
from components.example_gen.quarantine import IngestionSummary
from registry.storage import open_storage
from registry.store import Registry

STATISTICS_FILE = "FeatureStats.pb"
"""StatisticsGen's file name, which the registry keeps; repeated here because importing TFX takes seconds."""


class Baseline(NamedTuple):
    """Statistics of the last accepted training data."""

    fingerprint: str
    statistics: checks.Statistics


def judge(
    summary: IngestionSummary,
    statistics: Mapping[str, checks.Statistics],
    anomalies: Mapping[str, anomalies_pb2.Anomalies],
    schema: schema_pb2.Schema,
    baseline: Baseline | None,
    config: ValidationConfig,
) -> GateReport:
    """Runs all checks on the data.

    Args:
        summary: Summary of the ingestion.
        statistics: Split → TFDV's statistics of its records.
        anomalies: Split → what `schema` finds wrong with them, see `find_anomalies`.
        schema: The curated schema, with comparators.
        baseline: The data that drift is measured against; see `read_baseline`.
        config: The limits.
    """
    findings = [
        *checks.check_ingestion(summary, config),
        *_check_slices(summary, statistics),
        *checks.check_schema(anomalies),
        *_compare(config, schema, statistics, baseline),
    ]
    return GateReport(
        passed=all(finding.passed for finding in findings),
        findings=tuple(findings),
        drift_against=baseline.fingerprint if baseline else None,
    )


def _check_slices(summary: IngestionSummary, statistics: Mapping[str, checks.Statistics]) -> list[Finding]:
    if "test" not in statistics:
        return []
    return check_slices(summary, {column: checks.slice_values(statistics["test"], column) for column in summary.slices})


def find_anomalies(
    statistics: Mapping[str, checks.Statistics], schema: schema_pb2.Schema
) -> dict[str, anomalies_pb2.Anomalies]:
    """Returns the anomalies of each split's statistics under `schema`, by TFDV as in TFX's ExampleValidator."""
    return {split: tfdv.validate_statistics(found, schema) for split, found in statistics.items()}


def read_baseline(registry: Registry, fingerprint: str, config: ValidationConfig) -> Baseline | None:
    """Returns the last accepted data other than `fingerprint`; `None` if there is none or drift is not checked."""
    latest = registry.latest_statistics(other_than=fingerprint) if config.drift else None
    if latest is None:
        return None
    recorded, location = latest
    serialised = open_storage(location).read(STATISTICS_FILE)
    return Baseline(recorded, checks.Statistics.FromString(serialised))


def _compare(
    config: ValidationConfig,
    schema: schema_pb2.Schema,
    statistics: Mapping[str, checks.Statistics],
    baseline: Baseline | None,
) -> list[Finding]:
    """Returns the findings of drift and skew, as configured; an empty split is not compared."""
    filled = {split: found for split, found in statistics.items() if _pairs(found)}
    train = filled.pop("train", None)
    if train is None:
        return []
    findings = []
    if config.drift:
        fingerprint, previous = baseline or (None, None)
        findings += checks.check_drift(train, schema, previous, fingerprint)
    if config.skew:
        findings += checks.check_skew(train, filled, schema)
    return findings


def _pairs(statistics: checks.Statistics) -> float:
    return sum(dataset.num_examples for dataset in statistics.datasets)
