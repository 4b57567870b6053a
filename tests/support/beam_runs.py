"""Results of the steps that run on Beam, to compare runs on several engines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from google.protobuf import json_format
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.evaluator.reference import REFERENCE_FILE, ReferenceDistribution
from components.evaluator.results import RESULTS_FILE


def written_files(workspace: Path, step: str) -> dict[str, bytes]:
    """The files of a step by their place without the execution's number, with their bytes."""
    folder = workspace / "artifacts" / step
    found = [(file, file.relative_to(folder).parts) for file in sorted(folder.rglob("*")) if file.is_file()]
    return {"/".join((output, *rest)): file.read_bytes() for file, (output, _, *rest) in found}


def compact_records(workspace: Path) -> dict[str, dict[str, Any]]:
    """Transform's records: split and id → features.  The order of features in a record's bytes is not defined."""
    found: dict[str, dict[str, Any]] = {}
    for file in sorted((workspace / "artifacts/Transform/transformed_examples").glob("*/*/*.gz")):
        for record in tf.data.TFRecordDataset(str(file), "GZIP"):
            feature = tf.train.Example.FromString(record.numpy()).features.feature
            name = f"{file.parent.name}/{feature['id'].bytes_list.value[0].decode()}"
            assert name not in found, f"{name} is there twice"
            found[name] = {key: value.SerializeToString(deterministic=True) for key, value in feature.items()}
    return found


def evaluated(workspace: Path, name: str) -> str:
    """A file of figures of the evaluator."""
    (file,) = (workspace / "artifacts/SegmentationEvaluator/evaluation").glob(f"*/{name}")
    return file.read_text()


def assert_same_references(text: str | None, other: str | None) -> None:
    """Reference distributions agree: the model's shares depend on the other images of a batch in the last digits."""
    assert text is not None and other is not None
    features, expected = (dict(ReferenceDistribution.model_validate_json(each).features()) for each in (text, other))
    assert features.keys() == expected.keys()
    for name, values in features.items():
        assert values == pytest.approx(expected[name], abs=1e-3), name


def assert_same_statistics(files: Mapping[str, bytes], others: Mapping[str, bytes]) -> None:
    """Statistics agree but for the rounding of sums, which depends on the order in which an engine merges them."""
    assert files.keys() == others.keys()
    for name, content in files.items():
        _assert_close(_statistics(content), _statistics(others[name]), name)


def _statistics(content: bytes) -> dict[str, Any]:
    """The statistics of a split as a dictionary, in which the features have their names as keys."""
    (of_split,) = statistics_pb2.DatasetFeatureStatisticsList.FromString(content).datasets
    found = json_format.MessageToDict(of_split)
    return {**found, "features": {"/".join(feature["path"]["step"]): feature for feature in found["features"]}}


def _assert_close(value: Any, other: Any, place: str) -> None:
    if isinstance(value, float) and isinstance(other, float):
        assert value == pytest.approx(other, rel=1e-12, abs=1e-12), place
    elif isinstance(value, dict) and isinstance(other, dict):
        assert value.keys() == other.keys(), place
        for key in value:
            _assert_close(value[key], other[key], f"{place}, {key}")
    elif isinstance(value, list) and isinstance(other, list):
        assert len(value) == len(other), place
        for index, pair in enumerate(zip(value, other, strict=True)):
            _assert_close(*pair, f"{place}[{index}]")
    else:
        assert value == other, place


def assert_same_results(workspace: Path, other: Path) -> None:
    """Records of two runs are equal byte for byte, all else in value: statistics, Transform's records, metrics."""
    ingested, expected = (written_files(each, "ImageMaskExampleGen") for each in (workspace, other))
    assert ingested.keys() == expected.keys()
    assert [name for name in ingested if ingested[name] != expected[name]] == []
    assert_same_statistics(*(written_files(each, "StatisticsGen") for each in (workspace, other)))
    records = compact_records(workspace)
    assert records and records == compact_records(other)
    assert json.loads(evaluated(workspace, RESULTS_FILE)) == json.loads(evaluated(other, RESULTS_FILE))
    assert_same_references(*(evaluated(each, REFERENCE_FILE) for each in (workspace, other)))
