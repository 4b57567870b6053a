import numpy as np
import pytest
from scipy import stats

from components.evaluator import bootstrap
from components.evaluator.counts import marginals, named_metrics


def replicates(confusions: np.ndarray, names: list[bytes]) -> np.ndarray:
    """The sums that the combiner makes."""
    parts = [
        bootstrap.resampled(bootstrap.frequencies(name), part) for name, part in zip(names, confusions, strict=True)
    ]
    return np.sum(parts, axis=0)


def test_frequencies_follow_from_the_name_alone_and_are_poisson() -> None:
    np.testing.assert_array_equal(bootstrap.frequencies(b"a"), bootstrap.frequencies(b"a"))
    assert (bootstrap.frequencies(b"a") != bootstrap.frequencies(b"b")).any()
    drawn = np.stack([bootstrap.frequencies(b"%d" % index) for index in range(200)])
    assert drawn.mean() == pytest.approx(1, abs=0.02)
    assert drawn.var() == pytest.approx(1, abs=0.03)
    assert abs(np.corrcoef(drawn[0], drawn[1])[0, 1]) < 0.2


def test_a_replicate_is_the_metric_of_the_pictures_as_often_as_they_were_drawn() -> None:
    random = np.random.default_rng(1)
    confusions = random.integers(0, 50, (4, 3, 3))
    names = [b"a", b"b", b"c", b"d"]
    samples = bootstrap.samples(replicates(confusions, names), "xyz")
    drawn = np.stack([bootstrap.frequencies(name) for name in names])
    for replicate in range(0, bootstrap.REPLICATES, 50):
        total = np.tensordot(drawn[:, replicate].astype(int), confusions, 1)
        for name, value in named_metrics(total, "xyz").items():
            np.testing.assert_equal(samples[name][replicate], value)


def test_the_error_of_a_share_of_like_pictures_is_the_binomial_one() -> None:
    right = np.random.default_rng(2).random(400) < 0.8
    confusions = np.array([[[1, 0], [0, 0]] if hit else [[0, 1], [0, 0]] for hit in right])
    samples = bootstrap.samples(replicates(confusions, [b"%d" % index for index in range(400)]), "ab")
    expected = np.sqrt(right.mean() * (1 - right.mean()) / 400)
    assert bootstrap.standard_error(samples["pixel_accuracy"]) == pytest.approx(expected, rel=0.15)


def test_about_95_of_100_intervals_hold_the_truth() -> None:
    random = np.random.default_rng(3)
    student = stats.t.ppf(0.975, bootstrap.REPLICATES - 1)
    held = 0
    for trial in range(200):
        quality = random.beta(8, 2, 40)
        hits = random.binomial(100, quality)
        confusions = np.array([[[hit, 100 - hit], [0, 0]] for hit in hits])
        samples = bootstrap.samples(replicates(confusions, [b"%d-%d" % (trial, index) for index in range(40)]), "ab")
        error = bootstrap.standard_error(samples["pixel_accuracy"])
        held += abs(hits.sum() / 4000 - 0.8) <= student * error
    assert 0.9 <= held / 200 <= 0.99


def test_a_class_that_too_few_pictures_show_has_no_error() -> None:
    confusions = np.array([[[9, 1], [0, 0]]] * 8 + [[[5, 0], [1, 4]]])
    samples = bootstrap.samples(replicates(confusions, [b"%d" % index for index in range(9)]), "ab")
    assert np.isfinite(bootstrap.standard_error(samples["iou/a"]))
    only_roof = np.array([[[9, 0], [0, 0]]] * 8 + [[[5, 0], [1, 4]]])
    samples = bootstrap.samples(replicates(only_roof, [b"%d" % index for index in range(9)]), "ab")
    assert np.isnan(bootstrap.standard_error(samples["iou/b"]))


def test_marginals_are_all_that_ratios_need() -> None:
    confusion = np.array([[3, 1], [2, 4]])
    assert [row.tolist() for row in marginals(confusion)] == [[3, 4], [4, 6], [5, 5]]
