from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv
import yaml
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform.tf_metadata import schema_utils

from common import records
from components.example_gen.config import DataConfig

ROOT = Path(__file__).parents[3]
SCHEMAS = sorted((ROOT / "schemas").glob("*.pbtxt"))
CONFIGS = sorted((ROOT / "pipeline/configs").glob("*.yaml"))


@pytest.fixture(params=SCHEMAS, ids=lambda path: path.stem)
def schema(request):
    return tfdv.load_schema_text(str(request.param))


def test_transform_takes_every_fixed_feature_as_one_dense_value(schema):
    spec = schema_utils.schema_as_feature_spec(schema).feature_spec
    assert spec["image/encoded"] == tf.io.FixedLenFeature([], tf.string)
    assert spec["mask/encoded"] == tf.io.FixedLenFeature([], tf.string)
    assert spec["mask/class_fraction"].shape == [len(_classes(schema))]
    assert isinstance(spec["mask/classes"], tf.io.VarLenFeature)


def test_every_feature_must_be_in_every_record(schema):
    assert {feature.presence.min_fraction for feature in schema.feature} == {1.0}


def test_all_features_of_a_record_are_there(schema):
    fixed = {value for name, value in vars(records).items() if name.startswith(("IMAGE_", "MASK_"))}
    slices = {feature.name for feature in schema.feature if feature.name.startswith(records.SLICE_PREFIX)}
    assert {feature.name for feature in schema.feature} - slices == fixed


def test_what_a_picture_looks_like_is_under_drift_and_skew_checks(schema):
    features = {feature.name: feature for feature in schema.feature}
    for name in ("image/brightness", "image/contrast", "mask/foreground_fraction"):
        for comparator in (features[name].drift_comparator, features[name].skew_comparator):
            assert 0 < comparator.jensen_shannon_divergence.threshold < 1
    for comparator in (features["mask/classes"].drift_comparator, features["mask/classes"].skew_comparator):
        assert 0 < comparator.infinity_norm.threshold < 1


@pytest.mark.parametrize("file", SCHEMAS, ids=lambda path: path.stem)
def test_the_thresholds_are_explained(file):
    assert any(line.startswith("#") and "chance" in line for line in file.read_text().splitlines())


@pytest.mark.parametrize("file", CONFIGS, ids=lambda path: path.stem)
def test_each_config_has_a_schema_with_its_classes_and_slices(file):
    config = yaml.safe_load(file.read_text())
    data = DataConfig.model_validate(config["data"])
    named = config.get("validation", {}).get("schema", f"schemas/{config['name']}.pbtxt")
    schema = tfdv.load_schema_text(str(ROOT / named))
    assert _classes(schema) == list(data.classes)
    slices = {feature.name for feature in schema.feature if feature.name.startswith(records.SLICE_PREFIX)}
    columns = {*(getattr(data.source, "slice_columns", None) or ()), *data.buckets}
    assert slices == {records.slice_feature(column) for column in columns}


def _classes(schema: schema_pb2.Schema) -> list[str]:
    (domain,) = (domain for domain in schema.string_domain if domain.name == "classes")
    return list(domain.value)
