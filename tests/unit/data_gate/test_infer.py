from __future__ import annotations

import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform.tf_metadata import schema_utils

from common.errors import UserError
from components.data_gate.infer import MAX_SLICE_VALUES, infer_schema, schema_text, write_schema
from tests.support.measured import CLASSES, make_records


def test_the_data_that_a_schema_comes_from_has_no_anomalies(train, schema):
    anomalies = tfdv.validate_statistics(train, schema)
    assert dict(anomalies.anomaly_info) == {}


def test_the_text_reads_back_as_the_same_schema(schema):
    assert text_format.Parse(schema_text(schema), schema_pb2.Schema()) == schema


def test_the_text_has_comments_and_no_long_lines(schema):
    lines = schema_text(schema).splitlines()
    assert any(line.startswith("# ") for line in lines)
    assert max(map(len, lines)) <= 120


def test_transform_reads_one_dense_value_of_all_but_the_classes(schema):
    spec = schema_utils.schema_as_feature_spec(schema).feature_spec
    assert spec.pop("mask/classes") == tf.io.VarLenFeature(tf.string)
    assert spec.pop("mask/class_fraction") == tf.io.FixedLenFeature([3], tf.float32)
    assert {feature.shape == [] for feature in spec.values()} == {True}


def test_the_spec_parses_a_record(schema):
    (record,) = make_records(1, seed=1)
    parsed = tf.io.parse_single_example(record, schema_utils.schema_as_feature_spec(schema).feature_spec)
    assert parsed["image/encoded"].shape == []
    assert parsed["mask/class_fraction"].shape == [3]


def test_the_values_of_a_slice_are_listed_and_its_names_are_not():
    values = [f"≥{number:02d}" for number in range(MAX_SLICE_VALUES + 1)]
    few, many = infer_schema(CLASSES, {"stain": values[1::-1]}), infer_schema(CLASSES, {"stain": values})
    assert list(few.feature[-1].string_domain.value) == ["≥00", "≥01"]
    assert text_format.Parse(schema_text(few), schema_pb2.Schema()) == few
    assert not many.feature[-1].HasField("string_domain")


def test_a_schema_that_somebody_edited_is_not_overwritten(schema, tmp_path):
    file = tmp_path / "schemas/cells.pbtxt"
    write_schema(schema, file)
    file.write_text("# mine")
    with pytest.raises(UserError, match=r"cells\.pbtxt already exists"):
        write_schema(schema, file)
    assert file.read_text() == "# mine"
    write_schema(schema, file, overwrite=True)
    assert tfdv.load_schema_text(str(file)) == schema
    assert list(file.parent.iterdir()) == [file]


def test_a_place_that_cannot_be_written_to_is_named_with_what_to_do(schema, tmp_path):
    (tmp_path / "schemas").write_text("a file where a folder should be")
    with pytest.raises(UserError, match=r"schemas/cells\.pbtxt cannot be written: .*; name another place with validat"):
        write_schema(schema, tmp_path / "schemas/cells.pbtxt")
