"""Executor of the data gate: collects and writes the findings, and stops the run if one failed."""

from __future__ import annotations

import os
from typing import Any

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2
from tfx import types
from tfx.components.example_validator.executor import DEFAULT_FILE_NAME as ANOMALIES_FILE
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import io_utils

from common import progress
from common.errors import UserError
from components import component_keys as keys
from components.data_gate import checks
from components.data_gate.config import ValidationConfig
from components.data_gate.judge import STATISTICS_FILE, judge, read_baseline
from components.data_gate.result import GATE_FILE, GateReport, told
from components.example_gen.quarantine import SUMMARY_FILE, IngestionSummary
from registry.store import Registry

Artifacts = dict[str, list[types.Artifact]]


class Executor(base_executor.BaseExecutor):
    """See `components.data_gate.component.DataGate`."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Runs the checks.

        Raises:
            UserError: the data gate failed; the message names each failed finding and its figure.
        """
        config = ValidationConfig.model_validate_json(exec_properties[keys.VALIDATION_CONFIG])
        summary = _read_summary(input_dict)
        statistics = _statistics_by_split(input_dict)
        registry = Registry(exec_properties[keys.REGISTRY])
        schema = _read_schema(input_dict)
        baseline = read_baseline(registry, summary.data_fingerprint, config)
        report = judge(summary, statistics, _anomalies_by_split(input_dict), schema, baseline, config)
        gate_dir = artifact_utils.get_single_uri(output_dict[keys.GATE])
        io_utils.write_string_file(os.path.join(gate_dir, GATE_FILE), report.model_dump_json(indent=2))
        if not config.drift:
            progress.report("data gate: drift is not measured (validation.drift is false)")
        _stop_unless_passed(report)
        train_dir = artifact_utils.get_split_uri(input_dict[keys.STATISTICS], "train")
        registry.record_statistics(summary.data_fingerprint, train_dir)


def _stop_unless_passed(report: GateReport) -> None:
    for finding in report.warnings:
        progress.report(f"data gate: warning: {finding.detail}")
    if not report.passed:
        raise UserError(f"the data gate stopped the run, {told(report.failures)}")
    progress.report(f"data gate: passed {len(report.findings)} checks")


def _read_summary(input_dict: Artifacts) -> IngestionSummary:
    with fileio.open(os.path.join(artifact_utils.get_single_uri(input_dict[keys.QUARANTINE]), SUMMARY_FILE)) as file:
        return IngestionSummary.model_validate_json(file.read())


def _read_schema(input_dict: Artifacts) -> schema_pb2.Schema:
    schema_dir = artifact_utils.get_single_uri(input_dict[keys.SCHEMA])
    return io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(schema_dir))


def _statistics_by_split(input_dict: Artifacts) -> dict[str, checks.Statistics]:
    paths = _paths(input_dict[keys.STATISTICS], STATISTICS_FILE)
    return {split: tfdv.load_stats_binary(path) for split, path in paths.items()}


def _anomalies_by_split(input_dict: Artifacts) -> dict[str, anomalies_pb2.Anomalies]:
    paths = _paths(input_dict[keys.ANOMALIES], ANOMALIES_FILE)
    return {split: _read_anomalies(path) for split, path in paths.items()}


def _read_anomalies(path: str) -> anomalies_pb2.Anomalies:
    with fileio.open(path, "rb") as file:
        return anomalies_pb2.Anomalies.FromString(file.read())


def _paths(artifacts: list[types.Artifact], file: str) -> dict[str, str]:
    splits = artifact_utils.decode_split_names(artifact_utils.get_single_instance(artifacts).split_names)
    return {split: os.path.join(artifact_utils.get_split_uri(artifacts, split), file) for split in splits}
