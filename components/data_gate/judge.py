"""The data gate's judgement, the same in the pipeline's step and in `segpipe check`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from components.data_gate import checks
from components.data_gate.config import ValidationConfig
from components.data_gate.result import Finding, GateReport
from components.example_gen.quarantine import IngestionSummary
from registry.storage import open_storage
from registry.store import Registry

STATISTICS_FILE = "FeatureStats.pb"
"""StatisticsGen's name of the file, which the registry keeps; named here, for the import of TFX takes seconds."""


class Baseline(NamedTuple):
    """The statistics of the training data last let through."""

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
    """Judges the data by all checks.

    Args:
        summary: Ingestion's account.
        statistics: Split → TFDV's statistics of its records.
        anomalies: Split → what `schema` finds wrong with them, see `find_anomalies`.
        schema: The curated schema, with comparators.
        baseline: What drift is measured against; see `read_baseline`.
        config: The limits.
    """
    findings = [
        *checks.check_ingestion(summary, config),
        *checks.check_schema(anomalies),
        *_compare(config, schema, statistics, baseline),
    ]
    return GateReport(
        passed=all(finding.passed for finding in findings),
        findings=tuple(findings),
        drift_against=baseline.fingerprint if baseline else None,
    )


def find_anomalies(
    statistics: Mapping[str, checks.Statistics], schema: schema_pb2.Schema
) -> dict[str, anomalies_pb2.Anomalies]:
    """What `schema` finds wrong with each split's statistics, as TFX's ExampleValidator asks TFDV for it."""
    return {split: tfdv.validate_statistics(found, schema) for split, found in statistics.items()}


def read_baseline(registry: Registry, fingerprint: str, config: ValidationConfig) -> Baseline | None:
    """The data last let through, other than `fingerprint`; `None` without one, or where drift is not checked."""
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
    """Drift and skew, as far as they are asked for; an empty split has nothing that could be compared."""
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
