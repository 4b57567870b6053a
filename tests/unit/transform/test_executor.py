"""The executor of the step `Transform`, on real records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.components.transform import executor as tfx_executor
from tfx.types import standard_artifacts, standard_component_specs
from tfx.types.artifact import Artifact
from tfx.utils import io_utils

from common.errors import UserError
from components import component_keys as keys
from components.transform import record_files, share
from components.transform.config import TransformConfig
from components.transform.executor import Executor

_FEATURE = "number"
_SCHEMA = f'feature {{ name: "{_FEATURE}" type: INT presence {{ min_fraction: 1 }} shape {{ dim {{ size: 1 }} }} }}'
_RECORDS = 20


def size_of_batch(inputs: dict[str, tf.Tensor], custom_config: dict[str, Any]) -> dict[str, tf.Tensor]:
    """A `preprocessing_fn` that writes into each record how many it came with."""
    number_B = inputs[_FEATURE]
    return {_FEATURE: number_B, "size": tf.fill(tf.shape(number_B), tf.shape(number_B, tf.int64)[0])}


@pytest.mark.slow
def test_tfx_computes_in_batches_of_that_size(tmp_path: Path) -> None:
    config = TransformConfig(mode="crop", height=32, width=32)  # 8 in a batch.
    before = tfx_executor.TransformProcessor._GetDesiredBatchSize
    records = _transformed(config, tmp_path)
    sizes = sorted(record.features.feature["size"].int64_list.value[0] for record in records)
    assert sizes == [4] * 4 + [8] * 16
    assert tfx_executor.TransformProcessor._GetDesiredBatchSize is before


@pytest.mark.slow
def test_records_are_in_files_of_a_bounded_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_files, "FILE_BYTES", 200)
    records = _transformed(TransformConfig(mode="crop", height=32, width=32), tmp_path)
    files = _files(tmp_path)
    assert [file.name for file in files] == [
        f"transformed_examples-{index:05}-of-{len(files):05}.gz" for index in range(len(files))
    ]
    assert len(files) > 3
    for file in files:
        *before, _ = _records(file)
        assert sum(len(record) for record in before) < 200, "a file ends with the record that reaches the size"
    numbers = sorted(record.features.feature[_FEATURE].int64_list.value[0] for record in records)
    assert numbers == list(range(_RECORDS))


def test_a_share_that_flink_cannot_pass_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(share, "SHARE_BYTES", 10_000_000)
    context = Executor.Context(
        beam_pipeline_args=["--runner=PortableRunner", "--job_endpoint=nowhere:1", "--parallelism=2"],
        tmp_dir=str(tmp_path / "temporary"),
        unique_id="1",
    )
    config = TransformConfig(height=2048, width=2048)  # 16.8 MB a pair.
    with pytest.raises(UserError, match=r"set beam\.parallelism to \d+ or more, not 2"):
        Executor(context).Do(_inputs(tmp_path), {}, _properties(config))


def _transformed(config: TransformConfig, folder: Path) -> list[tf.train.Example]:
    outputs = {
        name: _artifact(artifact, folder / name)
        for name, artifact in {
            standard_component_specs.TRANSFORM_GRAPH_KEY: standard_artifacts.TransformGraph(),
            standard_component_specs.TRANSFORMED_EXAMPLES_KEY: standard_artifacts.Examples(),
        }.items()
    }
    executor = Executor(Executor.Context(tmp_dir=str(folder / "temporary"), unique_id="1"))
    executor.Do(_inputs(folder), outputs, _properties(config))
    return [tf.train.Example.FromString(record) for file in _files(folder) for record in _records(file)]


def _files(folder: Path) -> list[Path]:
    return sorted((folder / standard_component_specs.TRANSFORMED_EXAMPLES_KEY / "Split-train").iterdir())


def _records(file: Path) -> list[bytes]:
    return list(tf.data.TFRecordDataset(str(file), "GZIP").as_numpy_iterator())


def _inputs(folder: Path) -> dict[str, list[Artifact]]:
    examples = standard_artifacts.Examples()
    examples.split_names = '["train"]'
    split = folder / "examples" / "Split-train"
    split.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(split / "data_tfrecord-00000-of-00001.gz"), "GZIP") as writer:
        for number in range(_RECORDS):
            feature = tf.train.Feature(int64_list=tf.train.Int64List(value=[number]))
            writer.write(tf.train.Example(features=tf.train.Features(feature={_FEATURE: feature})).SerializeToString())
    io_utils.write_pbtxt_file(str(folder / "schema/schema.pbtxt"), text_format.Parse(_SCHEMA, schema_pb2.Schema()))
    return {
        standard_component_specs.EXAMPLES_KEY: _artifact(examples, folder / "examples"),
        standard_component_specs.SCHEMA_KEY: _artifact(standard_artifacts.Schema(), folder / "schema"),
    }


def _artifact(artifact: Artifact, folder: Path) -> list[Artifact]:
    artifact.uri = str(folder)
    return [artifact]


def _properties(config: TransformConfig) -> dict[str, Any]:
    return {
        standard_component_specs.PREPROCESSING_FN_KEY: f"{__name__}.{size_of_batch.__name__}",
        standard_component_specs.CUSTOM_CONFIG_KEY: json.dumps({keys.TRANSFORM: config.model_dump_json()}),
        standard_component_specs.FORCE_TF_COMPAT_V1_KEY: 0,
        standard_component_specs.DISABLE_STATISTICS_KEY: 1,
    }
