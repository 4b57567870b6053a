"""What StatisticsGen measures of the records, and what it leaves alone.

Without options TFDV takes the encoded pictures and masks for categories: it counts how often each byte string occurs,
which costs time and memory with every picture.  Declared as images they are bytes: presence, number and lengths are
measured, the bytes themselves are not kept.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import apache_beam as beam
import tensorflow_data_validation as tfdv
from apache_beam.options.pipeline_options import PipelineOptions
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2
from tfx_bsl.public import tfxio

from components import records

_ROWS_AT_ONCE = 32
"""Rows that one accumulator holds back: TFDV's own 1000 keep 20 MiB of pictures in each of its 128 accumulators."""


def stats_options() -> tfdv.StatsOptions:
    """The options of StatisticsGen, which survive the JSON through which TFX passes them.

    They carry a schema of three features, not the curated one: statistics then do not change, and are not computed
    again, when somebody edits a threshold.
    """
    return tfdv.StatsOptions(
        schema=_uncounted_features(), use_sketch_based_topk_uniques=True, desired_batch_size=_ROWS_AT_ONCE
    )


def statistics_of_records(
    file_pattern: str, statistics_file: str, beam_args: tuple[str, ...] = ("--runner=FnApiRunner",)
) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Measures the record files that match `file_pattern` as StatisticsGen does, and leaves `statistics_file`."""
    with beam.Pipeline(options=PipelineOptions(list(beam_args))) as pipeline:
        _measure(pipeline, "all", file_pattern, statistics_file)
    return tfdv.load_stats_binary(statistics_file)


def statistics_by_split(
    file_patterns: Mapping[str, str], folder: str, beam_args: tuple[str, ...] = ("--runner=FnApiRunner",)
) -> dict[str, statistics_pb2.DatasetFeatureStatisticsList]:
    """Measures the record files of several splits in one go; leaves `<split>.pb` in `folder` for each."""
    files = {split: os.path.join(folder, f"{split}.pb") for split in file_patterns}
    with beam.Pipeline(options=PipelineOptions(list(beam_args))) as pipeline:
        for split, pattern in file_patterns.items():
            _measure(pipeline, split, pattern, files[split])
    return {split: tfdv.load_stats_binary(file) for split, file in files.items()}


def _measure(pipeline: beam.Pipeline, name: str, file_pattern: str, statistics_file: str) -> None:
    source = tfxio.TFExampleRecord(file_pattern, telemetry_descriptors=["segpipe"])
    _ = (
        pipeline
        | f"Read[{name}]" >> source.BeamSource()
        | f"Measure[{name}]" >> tfdv.GenerateStatistics(stats_options())
        | f"Write[{name}]" >> tfdv.WriteStatisticsToBinaryFile(statistics_file)
    )


def _uncounted_features() -> schema_pb2.Schema:
    """The features whose values are as many as the pairs, so that counting them says nothing."""
    schema = schema_pb2.Schema()
    for name in (records.IMAGE_ENCODED, records.MASK_ENCODED):
        schema.feature.add(name=name, type=schema_pb2.BYTES).image_domain.SetInParent()
    identity = schema.feature.add(name=records.IMAGE_ID, type=schema_pb2.BYTES)
    identity.string_domain.is_categorical = schema_pb2.StringDomain.CATEGORICAL_NO
    return schema
