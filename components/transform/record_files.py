"""Files into which Transform writes its records, several of a bounded size."""

from __future__ import annotations

import apache_beam as beam
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.components.transform.executor import TransformProcessor

FILE_BYTES = 32 << 20
"""Bytes of records in a file, before compression."""


@beam.ptransform_fn
def encode_and_write(
    batches: beam.PCollection, schema: schema_pb2.Schema, file_format: str, output_path: str
) -> beam.PCollection:
    """Encodes transformed batches as `tf.train.Example` and writes them into files of about `FILE_BYTES`.

    In the place of `TransformProcessor._EncodeAndWrite` of TFX 1.16 and 1.21, which leaves the number of files to the
    runner: Beam's local one writes one file for a split of any size, which each of several training workers would
    read whole.
    """
    assert file_format == "tfrecords_gzip", file_format
    return (
        batches
        | "EncodeAndSerialize" >> beam.ParDo(TransformProcessor._RecordBatchToExamplesFn(schema))
        | "ExtractExamples" >> beam.Values()
        | "WriteToTFRecord" >> _write_to_files(output_path)
    )


def _write_to_files(output_path: str) -> beam.PTransform:
    write = beam.io.WriteToTFRecord(output_path, file_name_suffix=".gz")
    # `FileBasedSink` can begin a new file at a size; `WriteToTFRecord` has no argument for it (Beam 2.62 to 2.74).
    write._sink.max_bytes_per_shard = FILE_BYTES
    return write
