from __future__ import annotations

import re
import subprocess
import sys

import pytest
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.statistics import StatisticsInMemory, stats_options
from tests.support.measured import Look, make_records, measure_records

_PEAK = """
import resource, sys
import apache_beam as beam, tensorflow as tf, tensorflow_data_validation as tfdv
from apache_beam.options.pipeline_options import PipelineOptions
from tfx_bsl.public import tfxio
from components.statistics import stats_options
options = stats_options() if sys.argv[2] == "ours" else tfdv.StatsOptions()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
source = tfxio.TFExampleRecord(sys.argv[1], telemetry_descriptors=["test"])
with beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner"])) as pipeline:
    _ = pipeline | source.BeamSource() | tfdv.GenerateStatistics(options) | beam.Map(lambda _: None)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    statistics = measure_records(make_records(40, seed=1, look=Look(debris=1.0)), tmp_path_factory.mktemp("measured"))
    return {feature.path.step[0]: feature for feature in statistics.datasets[0].features}


def test_the_options_survive_the_json_that_tfx_passes():
    copy = tfdv.StatsOptions.from_json(stats_options().to_json())
    assert copy.to_json() == stats_options().to_json()
    assert copy.schema == stats_options().schema


@pytest.mark.parametrize("name", ["image/encoded", "mask/encoded"])
def test_pictures_are_bytes_that_are_counted_but_not_kept(features, name):
    assert features[name].type == statistics_pb2.FeatureNameStatistics.BYTES
    assert features[name].bytes_stats.common_stats.num_non_missing == 40
    assert not features[name].HasField("string_stats")


def test_names_of_pairs_are_counted_but_not_kept(features):
    assert features["image/id"].string_stats.common_stats.num_non_missing == 40
    assert not features["image/id"].string_stats.rank_histogram.buckets


def test_classes_are_counted_exactly(features):
    buckets = features["mask/classes"].string_stats.rank_histogram.buckets
    assert {bucket.label: bucket.sample_count for bucket in buckets} == {"background": 40, "cell": 40, "debris": 40}


@pytest.mark.parametrize("count", [0, 1, 40])
def test_in_memory_they_are_those_of_beam_but_for_the_lengths_of_encoded_images(count, monkeypatch, tmp_path):
    monkeypatch.setattr("components.statistics._ROWS_DECODED", 16)
    records = make_records(count, seed=1)
    measured = StatisticsInMemory()
    for record in records:
        measured.add(record)
    here, by_beam = measured.measure(), measure_records(records, tmp_path)
    assert here.datasets[0].num_examples == by_beam.datasets[0].num_examples == count
    assert _told(here) == _told(by_beam)


def _told(statistics):
    """Feature → its statistics as text, to nine places, for sums depend on their order in the last one."""
    told = {}
    for feature in statistics.datasets[0].features:
        feature.bytes_stats.ClearField("avg_num_bytes")
        feature.bytes_stats.ClearField("min_num_bytes")
        feature.bytes_stats.ClearField("max_num_bytes")
        feature.bytes_stats.ClearField("max_num_bytes_int")
        name = feature.path.step[0]
        told[name] = re.sub(r"\d+\.\d+(e-?\d+)?", lambda figure: f"{float(figure[0]):.9g}", str(feature))
    return told


@pytest.mark.slow
def test_pictures_take_a_fraction_of_the_memory_that_tfdv_would_take(tmp_path):
    import numpy as np
    import tensorflow as tf

    random = np.random.default_rng(1)
    file = tmp_path / "records.tfrecord"
    with tf.io.TFRecordWriter(str(file)) as writer:
        for record in make_records(500, seed=1):
            example = tf.train.Example.FromString(record)
            example.features.feature["image/encoded"].bytes_list.value[0] = random.bytes(200_000)
            writer.write(example.SerializeToString())
    ours, tfdvs = (_peak_mebibytes(str(file), options) for options in ("ours", "tfdv"))
    assert ours < tfdvs / 2


def _peak_mebibytes(file, options):
    finished = subprocess.run([sys.executable, "-c", _PEAK, file, options], capture_output=True, text=True, timeout=120)
    assert finished.returncode == 0, finished.stderr[-2000:]
    return int(finished.stdout.split()[-1])
