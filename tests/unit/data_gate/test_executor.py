"""The real way of the data: StatisticsGen, ImportSchemaGen and ExampleValidator of TFX, then the gate."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import statistics_pb2
from tfx.components.example_validator.executor import Executor as ExampleValidator
from tfx.components.schema_gen.import_schema_gen.executor import Executor as ImportSchemaGen
from tfx.components.statistics_gen.executor import Executor as StatisticsGen
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import artifact_utils, channel_utils, standard_artifacts

from common.errors import UserError
from common.progress import LOGGER_NAME
from components.artifacts import GateResult, Quarantine
from components.data_gate.checks import Statistics
from components.data_gate.component import DataGate
from components.data_gate.config import ValidationConfig
from components.data_gate.executor import Executor
from components.data_gate.infer import write_schema
from components.data_gate.result import GateReport
from components.statistics import stats_options
from registry.store import Registry
from tests.support.measured import Look, make_records, write_records

DEFAULTS = ValidationConfig()
SIZES = {"train": 120, "eval": 30, "test": 30}


class Inputs(NamedTuple):
    """What the gate is given."""

    statistics: standard_artifacts.ExampleStatistics
    anomalies: standard_artifacts.ExampleAnomalies
    schema: standard_artifacts.Schema


@pytest.fixture(scope="module")
def good(schema_file, tmp_path_factory) -> Inputs:
    """Three splits that are alike, on the whole way through TFX's own executors."""
    directory = tmp_path_factory.mktemp("good")
    for seed, (split, count) in enumerate(SIZES.items()):
        write_records(make_records(count, seed), directory / f"examples/Split-{split}/data.gz")
    examples = _artifact(standard_artifacts.Examples, directory / "examples")
    examples.split_names = artifact_utils.encode_split_names(list(SIZES))
    context = BaseBeamExecutor.Context(
        beam_pipeline_args=["--runner=FnApiRunner"], tmp_dir=str(directory / "tmp"), unique_id="1"
    )
    statistics = _artifact(standard_artifacts.ExampleStatistics, directory / "statistics")
    StatisticsGen(context).Do(
        {"examples": [examples]}, {"statistics": [statistics]}, {"stats_options_json": stats_options().to_json()}
    )
    return _validate(statistics, schema_file, directory)


def change(inputs: Inputs, directory: Path, **splits: Statistics) -> Inputs:
    """The same with the statistics of some splits replaced, validated again."""
    statistics = _artifact(standard_artifacts.ExampleStatistics, directory / "statistics")
    shutil.copytree(inputs.statistics.uri, statistics.uri, dirs_exist_ok=True)
    statistics.split_names = inputs.statistics.split_names
    for split, replacement in splits.items():
        file = Path(statistics.uri) / f"Split-{split}/FeatureStats.pb"
        file.write_bytes(replacement.SerializeToString())
    return _validate(statistics, next(Path(inputs.schema.uri).iterdir()), directory)


def _validate(statistics: standard_artifacts.ExampleStatistics, schema_file: Path, directory: Path) -> Inputs:
    schema = _artifact(standard_artifacts.Schema, directory / "schema")
    ImportSchemaGen().Do({}, {"schema": [schema]}, {"schema_file": str(schema_file)})
    anomalies = _artifact(standard_artifacts.ExampleAnomalies, directory / "anomalies")
    ExampleValidator().Do({"statistics": [statistics], "schema": [schema]}, {"anomalies": [anomalies]}, {})
    return Inputs(statistics, anomalies, schema)


@pytest.fixture(scope="module")
def schema_file(schema, tmp_path_factory):
    file = tmp_path_factory.mktemp("schema") / "cells.pbtxt"
    write_schema(schema, file)
    return file


@pytest.fixture(scope="module")
def all_dark(good, dark, tmp_path_factory):
    """All splits with half the light: no skew between them, but drift against data with all the light."""
    return change(good, tmp_path_factory.mktemp("all_dark"), train=dark, eval=dark, test=dark)


@pytest.fixture(scope="module")
def skewed(good, dark, tmp_path_factory):
    """A test split with half the light."""
    return change(good, tmp_path_factory.mktemp("skewed"), test=dark)


@pytest.fixture
def run(tmp_path, summary):
    """Runs the gate, and returns its report."""

    def gate(inputs: Inputs, config: ValidationConfig = DEFAULTS, **changes) -> GateReport:
        quarantine = _artifact(Quarantine, tmp_path / "quarantine")
        text = summary.model_copy(update=changes).model_dump_json()
        (tmp_path / "quarantine/summary.json").write_text(text)
        result = _artifact(GateResult, tmp_path / "gate")
        inputs_by_name = {name: [artifact] for name, artifact in inputs._asdict().items()}
        properties = {
            "validation_config": config.model_dump_json(by_alias=True),
            "registry": str(tmp_path / "registry"),
            "drift_baseline": "",
            "code": "",
        }
        Executor().Do({**inputs_by_name, "quarantine": [quarantine]}, {"gate": [result]}, properties)
        return read_report(tmp_path)

    return gate


def read_report(tmp_path: Path) -> GateReport:
    return GateReport.model_validate(json.loads((tmp_path / "gate/gate.json").read_text()))


def test_tfx_finds_no_anomaly_in_good_data(good):
    assert good.anomalies.get_json_value_custom_property("blessed") == {"train": 1, "eval": 1, "test": 1}


def test_good_data_passes_and_its_statistics_are_kept(good, run, tmp_path):
    report = run(good)
    assert report.passed and report.drift_against is None
    fingerprint, location = Registry(str(tmp_path / "registry")).latest_statistics(other_than="")
    assert fingerprint == "f00d"
    kept = tfdv.load_stats_binary(str(Path(location) / "FeatureStats.pb"))
    assert kept.datasets[0].num_examples == SIZES["train"]


def test_the_first_run_says_that_it_has_nothing_to_drift_from(good, run):
    (drift,) = (finding for finding in run(good).findings if finding.check == "drift")
    assert drift.passed and "no data was accepted before" in drift.detail


def test_the_same_data_again_does_not_drift_from_itself(good, run):
    run(good)
    assert run(good).drift_against is None


def test_data_with_half_the_light_stops_the_run_with_feature_and_figure(good, all_dark, run, tmp_path):
    run(good)
    with pytest.raises(UserError) as stopped:
        run(all_dark, data_fingerprint="da2c")
    assert "drifted since data f00d: Jensen–Shannon divergence" in str(stopped.value)
    assert "over the schema's threshold 0.2" in str(stopped.value)
    assert "\n  data gate: image/brightness drifted" in str(stopped.value)
    report = read_report(tmp_path)
    assert not report.passed and report.drift_against == "f00d"


def test_data_that_was_stopped_is_no_baseline(good, all_dark, run, tmp_path):
    run(good)
    with pytest.raises(UserError):
        run(all_dark, data_fingerprint="da2c")
    assert Registry(str(tmp_path / "registry")).latest_statistics(other_than="").fingerprint == "f00d"


def test_data_like_the_last_one_passes_with_its_figures(good, run):
    run(good)
    report = run(good, data_fingerprint="beef")
    drift = {finding.feature: finding for finding in report.findings if finding.check == "drift"}
    assert report.drift_against == "f00d"
    assert {"image/brightness", "image/contrast", "mask/foreground_fraction", "mask/classes"} <= drift.keys()
    assert "the schema allows 0.2" in drift["image/brightness"].detail


def test_drift_can_be_left_unchecked(good, all_dark, run):
    run(good)
    assert run(all_dark, ValidationConfig(drift=False), data_fingerprint="da2c").passed


def test_a_split_that_is_darker_than_train_stops_the_run(skewed, run):
    with pytest.raises(UserError, match="differs between train and test: Jensen–Shannon divergence"):
        run(skewed)


def test_skew_can_be_left_unchecked(skewed, run):
    assert run(skewed, ValidationConfig(skew=False)).passed


def test_a_value_that_the_schema_does_not_know_stops_the_run_by_name(good, measured, run, tmp_path):
    odd = change(good, tmp_path / "odd", eval=measured(30, seed=7, look=Look(stain="green")))
    with pytest.raises(UserError) as stopped:
        run(odd)
    first, *findings = str(stopped.value).splitlines()
    assert first == "the data gate stopped the run, because 2 checks failed:"
    assert all(line.startswith("  data gate: slice/stain") for line in findings)
    assert "slice/stain in eval does not match the schema" in findings[0] and "green" in findings[0]


def test_too_many_quarantined_pairs_stop_the_run_with_the_figure(good, run):
    with pytest.raises(UserError, match=r"10 of 200 pairs are quarantined: 5\.0%, at most 1\.0% may be"):
        run(good, ValidationConfig(max_quarantined=0.01))


def test_too_few_pairs_stop_the_run_by_split(good, run):
    with pytest.raises(UserError, match="test has 30 pairs, but needs at least 31"):
        run(good, ValidationConfig(min_pairs=31))


def test_a_warning_stops_nothing_and_is_told(good, run, summary, caplog):
    lacking = summary.class_pixels | {"test": (900, 90, 0)}
    with caplog.at_level(logging.INFO, LOGGER_NAME):
        report = run(good, class_pixels=lacking)
    assert report.passed
    assert [finding.split for finding in report.warnings] == ["test"]
    assert any("data gate: warning: the class 'debris' has no pixel" in record.message for record in caplog.records)


def test_an_empty_split_stops_the_run_by_its_size(good, run, tmp_path):
    nothing = Statistics(datasets=[statistics_pb2.DatasetFeatureStatistics()])
    emptied = change(good, tmp_path / "emptied", test=nothing)
    with pytest.raises(UserError, match="test has 0 pairs"):
        run(emptied, used={"train": 120, "eval": 30, "test": 0})


def test_the_component_wires_what_the_executor_reads():
    component = DataGate(
        statistics=channel_utils.as_channel([standard_artifacts.ExampleStatistics()]),
        anomalies=channel_utils.as_channel([standard_artifacts.ExampleAnomalies()]),
        schema=channel_utils.as_channel([standard_artifacts.Schema()]),
        quarantine=channel_utils.as_channel([Quarantine()]),
        validation_config=ValidationConfig().model_dump_json(by_alias=True),
        registry="registry",
    )
    assert component.outputs["gate"].type is GateResult
    assert set(component.exec_properties) == {"validation_config", "registry", "drift_baseline", "code"}


def _artifact(kind, directory: Path):
    directory.mkdir(parents=True, exist_ok=True)
    artifact = kind()
    artifact.uri = str(directory)
    return artifact
