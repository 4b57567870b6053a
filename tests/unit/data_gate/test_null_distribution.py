from __future__ import annotations

import numpy as np
import pytest
import tensorflow_data_validation as tfdv
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import jensenshannon

from components.data_gate import null_distribution

counts = arrays(np.float64, 6, elements=st.integers(0, 50)).filter(lambda values: values.sum() > 0)


@given(counts, counts)
def test_the_divergence_is_scipys_squared_distance(first, second):
    expected = jensenshannon(first / first.sum(), second / second.sum(), base=2) ** 2
    assert null_distribution.jensen_shannon(first, second) == pytest.approx(expected, abs=1e-9)


@given(counts, counts)
def test_the_infinity_norm_is_the_largest_difference_of_shares(first, second):
    differences = [abs(a / first.sum() - b / second.sum()) for a, b in zip(first, second, strict=True)]
    assert null_distribution.infinity_norm(first, second) == pytest.approx(max(differences))


@given(counts, counts)
def test_both_are_symmetric_and_between_zero_and_one(first, second):
    for distance in (null_distribution.jensen_shannon, null_distribution.infinity_norm):
        assert distance(first, second) == pytest.approx(distance(second, first))
        assert -1e-9 <= distance(first, second) <= 1 + 1e-9
        assert distance(first, first) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("distance", [null_distribution.jensen_shannon, null_distribution.infinity_norm])
@pytest.mark.parametrize("size", [8, 30, 300])
def test_samples_of_one_distribution_hardly_ever_differ_by_more(distance, size):
    random = np.random.default_rng(5)
    shares = np.array([0.05, 0.1, 0.2, 0.3, 0.2, 0.1, 0.05])
    pairs = [(random.multinomial(size, shares), random.multinomial(240, shares)) for _ in range(100)]
    beyond = [float(distance(a, b)) > null_distribution.largest_by_chance(a, b, distance) for a, b in pairs]
    assert sum(beyond) <= 1


@pytest.mark.parametrize("distance", [null_distribution.jensen_shannon, null_distribution.infinity_norm])
def test_even_ten_pictures_differ_by_more_where_they_have_nothing_in_common(distance):
    few, many = np.array([0.0, 0, 4, 6]), np.array([30.0, 30, 0, 0])
    assert distance(few, many) > null_distribution.largest_by_chance(few, many, distance)


def test_the_same_data_always_gets_the_same_limit():
    few, many = np.array([4.0, 6]), np.array([30.0, 60])
    limits = {null_distribution.largest_by_chance(few, many, null_distribution.jensen_shannon) for _ in range(3)}
    assert len(limits) == 1


def test_the_histograms_keep_their_pictures_over_common_bins(train, dark):
    for feature in ("image/brightness", "mask/void_fraction"):
        first, second = (_feature(statistics, feature).num_stats for statistics in (train, dark))
        counts = null_distribution.numeric_counts(first, second)
        assert len(counts[0]) == len(counts[1])
        assert [values.sum() for values in counts] == pytest.approx([120, 120])


@pytest.mark.parametrize("feature", ["image/brightness", "image/contrast", "mask/foreground_fraction"])
def test_the_divergence_is_the_one_that_tfdv_reports(train, dark, schema, feature):
    counts = null_distribution.numeric_counts(_feature(train, feature).num_stats, _feature(dark, feature).num_stats)
    anomalies = tfdv.validate_statistics(train, schema, serving_statistics=dark)
    reported = {info.path.step[0]: info.skew_measurements[0].value for info in anomalies.drift_skew_info}
    assert float(null_distribution.jensen_shannon(*counts)) == pytest.approx(reported[feature], rel=0.15, abs=0.02)


def _feature(statistics, name):
    return next(feature for feature in statistics.datasets[0].features if feature.path.step[0] == name)
