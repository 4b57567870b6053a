"""Reads of which each worker of an engine takes a share."""

from __future__ import annotations

from pathlib import Path

import apache_beam as beam
import pytest
import tensorflow as tf
from apache_beam.io.iobase import Read
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that, equal_to

from pipeline.beam.arguments import BEAM_ARGUMENTS
from pipeline.beam.spread_reads import spread_reads

NAMES = ("a", "b", "c.gz")


@pytest.fixture
def pattern(tmp_path: Path) -> str:
    """Three files of three records, one of them compressed."""
    for name in NAMES:
        with tf.io.TFRecordWriter(str(tmp_path / name), "GZIP" if name.endswith(".gz") else "") as writer:
            for index in range(3):
                writer.write(f"{name} {index}".encode())
    return str(tmp_path / "*")


def test_all_records_are_read_once(pattern: str) -> None:
    expected = [f"{name} {index}".encode() for name in NAMES for index in range(3)]
    with spread_reads(), beam.Pipeline(options=PipelineOptions(list(BEAM_ARGUMENTS))) as pipeline:
        assert_that(pipeline | beam.io.ReadFromTFRecord(pattern), equal_to(expected))


def test_the_parts_are_shuffled_before_they_are_read(pattern: str) -> None:
    def transforms() -> set[str]:
        pipeline = beam.Pipeline(options=PipelineOptions(list(BEAM_ARGUMENTS)))
        _ = pipeline | beam.io.ReadFromTFRecord(pattern)
        found = pipeline.to_runner_api().components.transforms.values()
        return {transform.spec.urn for transform in found}

    shuffle = "beam:transform:reshuffle:v1"
    assert shuffle not in transforms()
    with spread_reads():
        assert shuffle in transforms()
    assert shuffle not in transforms()


def test_what_is_no_source_of_files_is_left_to_beam() -> None:
    class Numbers(beam.PTransform):
        def expand(self, begin: beam.Pipeline) -> beam.PCollection[int]:
            return begin | beam.Create([1, 2])

    with spread_reads(), beam.Pipeline(options=PipelineOptions(list(BEAM_ARGUMENTS))) as pipeline:
        assert_that(pipeline | Read(Numbers()), equal_to([1, 2]))
