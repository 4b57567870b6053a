"""Options of StatisticsGen, and the same statistics without it.

Without options TFDV treats the encoded images and masks as categories: it counts how often each byte string occurs,
which costs time and memory with every image.  Declared as images they are bytes: presence, number and lengths are
measured, the bytes themselves are not kept.
"""

from __future__ import annotations

import apache_beam as beam
import pyarrow as pa
import tensorflow_data_validation as tfdv
from apache_beam.options.pipeline_options import PipelineOptions
from tensorflow.core.example import example_pb2
from tensorflow_data_validation.statistics import stats_impl
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2
from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder
from tfx_bsl.public import tfxio

from common import records

_ROWS_AT_ONCE = 32
"""Rows that one accumulator buffers: TFDV's default of 1000 keeps 20 MiB of images in each of its 128 accumulators."""
_ROWS_DECODED = 1000
_ENCODED = (records.IMAGE_ENCODED, records.MASK_ENCODED)
_STAND_IN = b"-"
"""Replaces an encoded image or mask, of which only number and lengths are measured."""


def stats_options() -> tfdv.StatsOptions:
    """Returns the options of StatisticsGen, in a form that TFX can pass as JSON.

    They have a schema of three features, not the curated one, so that statistics do not change and are not computed
    again when a threshold is edited.
    """
    return tfdv.StatsOptions(
        schema=_uncounted_features(), use_sketch_based_topk_uniques=True, desired_batch_size=_ROWS_AT_ONCE
    )


def statistics_of_records(
    file_pattern: str, statistics_file: str, beam_args: tuple[str, ...] = ("--runner=FnApiRunner",)
) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Computes statistics of the files matching `file_pattern` like StatisticsGen; writes `statistics_file`."""
    source = tfxio.TFExampleRecord(file_pattern, telemetry_descriptors=["segpipe"])
    with beam.Pipeline(options=PipelineOptions(list(beam_args))) as pipeline:
        _ = (
            pipeline
            | "Read" >> source.BeamSource()
            | "Measure" >> tfdv.GenerateStatistics(stats_options())
            | "Write" >> tfdv.WriteStatisticsToBinaryFile(statistics_file)
        )
    return tfdv.load_stats_binary(statistics_file)


class StatisticsInMemory:
    """Computes statistics of records in this process as StatisticsGen does, without the start-up time of Beam.

    It holds the columns of the records with `_STAND_IN` for the images: some hundred bytes per record.
    """

    def __init__(self) -> None:
        self._records: list[bytes] = []
        self._batches: list[pa.RecordBatch] = []

    def add(self, record: bytes) -> None:
        """Adds a serialised record."""
        example = example_pb2.Example.FromString(record)
        for name in _ENCODED:
            example.features.feature[name].bytes_list.value[:] = [_STAND_IN]
        self._records.append(example.SerializeToString())
        if len(self._records) >= _ROWS_DECODED:
            self._decode()

    def measure(self) -> statistics_pb2.DatasetFeatureStatisticsList:
        """Returns the statistics of all records added; only the lengths of encoded images differ from Beam's."""
        if self._records:
            self._decode()
        if not self._batches:
            return statistics_pb2.DatasetFeatureStatisticsList(datasets=[statistics_pb2.DatasetFeatureStatistics()])
        (together,) = pa.Table.from_batches(self._batches).combine_chunks().to_batches()
        return stats_impl.generate_statistics_in_memory(together, stats_options())

    def _decode(self) -> None:
        self._batches.append(ExamplesToRecordBatchDecoder().DecodeBatch(self._records))
        self._records = []


def _uncounted_features() -> schema_pb2.Schema:
    """Returns the features with a distinct value per pair, whose values are not worth counting."""
    schema = schema_pb2.Schema()
    for name in _ENCODED:
        schema.feature.add(name=name, type=schema_pb2.BYTES).image_domain.SetInParent()
    identity = schema.feature.add(name=records.IMAGE_ID, type=schema_pb2.BYTES)
    identity.string_domain.is_categorical = schema_pb2.StringDomain.CATEGORICAL_NO
    return schema
