"""The work of the data gate: gathers the findings, writes them down, and stops the run or lets it go on."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2
from tfx import types
from tfx.components.example_validator.executor import DEFAULT_FILE_NAME as ANOMALIES_FILE
from tfx.components.statistics_gen.executor import DEFAULT_FILE_NAME as STATISTICS_FILE
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import io_utils

from components import progress
from components.data_gate import checks
from components.data_gate.config import ValidationConfig
from components.data_gate.result import GATE_FILE, Finding, GateReport
from components.errors import UserError
from components.example_gen.quarantine import SUMMARY_FILE, IngestionSummary
from registry.storage import open_storage
from registry.store import Registry

Artifacts = dict[str, list[types.Artifact]]


class Executor(base_executor.BaseExecutor):
    """See `components.data_gate.component.DataGate`."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Judges the data.

        Raises:
            UserError: the data must not be trained on; the message names the worst finding and its figure.
        """
        config = ValidationConfig.model_validate_json(exec_properties["validation_config"])
        summary = _read_summary(input_dict)
        statistics = _statistics_by_split(input_dict)
        registry = Registry(exec_properties["registry"])
        baseline = _read_baseline(registry, summary.data_fingerprint) if config.drift else None

        findings = [
            *checks.check_ingestion(summary, config),
            *checks.check_schema(_anomalies_by_split(input_dict)),
            *_compare(config, _read_schema(input_dict), statistics, baseline),
        ]
        report = GateReport(
            passed=all(finding.passed for finding in findings),
            findings=tuple(findings),
            drift_against=baseline.fingerprint if baseline else None,
        )
        gate_dir = artifact_utils.get_single_uri(output_dict["gate"])
        io_utils.write_string_file(os.path.join(gate_dir, GATE_FILE), report.model_dump_json(indent=2))
        _stop_unless_passed(report)
        train_dir = artifact_utils.get_split_uri(input_dict["statistics"], "train")
        registry.record_statistics(summary.data_fingerprint, train_dir)


class _Baseline(NamedTuple):
    fingerprint: str
    statistics: statistics_pb2.DatasetFeatureStatisticsList


def _compare(
    config: ValidationConfig,
    schema: schema_pb2.Schema,
    statistics: dict[str, checks.Statistics],
    baseline: _Baseline | None,
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


def _stop_unless_passed(report: GateReport) -> None:
    failures = [finding for finding in report.findings if not finding.passed]
    for finding in failures:
        progress.report(f"data gate: {finding.detail}")
    if not failures:
        progress.report(f"data gate: passed {len(report.findings)} checks")
        return
    others = f"; {len(failures) - 1} more did, each in the log" if len(failures) > 1 else ""
    raise UserError(f"the data gate stopped the run, since a check failed: {failures[0].detail}{others}")


def _read_baseline(registry: Registry, fingerprint: str) -> _Baseline | None:
    latest = registry.latest_statistics(other_than=fingerprint)
    if latest is None:
        return None
    recorded, location = latest
    serialised = open_storage(location).read(STATISTICS_FILE)
    return _Baseline(recorded, statistics_pb2.DatasetFeatureStatisticsList.FromString(serialised))


def _read_summary(input_dict: Artifacts) -> IngestionSummary:
    with fileio.open(os.path.join(artifact_utils.get_single_uri(input_dict["quarantine"]), SUMMARY_FILE)) as file:
        return IngestionSummary.model_validate_json(file.read())


def _read_schema(input_dict: Artifacts) -> schema_pb2.Schema:
    schema_dir = artifact_utils.get_single_uri(input_dict["schema"])
    return io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(schema_dir))


def _statistics_by_split(input_dict: Artifacts) -> dict[str, checks.Statistics]:
    return {
        split: tfdv.load_stats_binary(path) for split, path in _paths(input_dict["statistics"], STATISTICS_FILE).items()
    }


def _anomalies_by_split(input_dict: Artifacts) -> dict[str, anomalies_pb2.Anomalies]:
    return {split: _read_anomalies(path) for split, path in _paths(input_dict["anomalies"], ANOMALIES_FILE).items()}


def _read_anomalies(path: str) -> anomalies_pb2.Anomalies:
    with fileio.open(path, "rb") as file:
        return anomalies_pb2.Anomalies.FromString(file.read())


def _paths(artifacts: list[types.Artifact], file: str) -> dict[str, str]:
    splits = artifact_utils.decode_split_names(artifact_utils.get_single_instance(artifacts).split_names)
    return {split: os.path.join(artifact_utils.get_split_uri(artifacts, split), file) for split in splits}


def _pairs(statistics: checks.Statistics) -> float:
    return sum(dataset.num_examples for dataset in statistics.datasets)
