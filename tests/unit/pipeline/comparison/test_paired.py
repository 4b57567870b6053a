"""Two models on the same images: metrics, paired intervals, and the images that differ most."""

from __future__ import annotations

import numpy as np
import pytest

from components.evaluator.counts import confusion_counts, named_metrics
from pipeline.comparison.paired import Difference, JudgedImage, accuracy, differences, most_different
from pipeline.comparison.side import OVERALL

CLASSES = ("ground", "roof")


def images(number: int, gain: float, seed: int = 0) -> list[JudgedImage]:
    """Images of which model b gets a share `gain` more of the pixels right, by images of different difficulty."""
    random = np.random.default_rng(seed)
    judged = []
    for index in range(number):
        truth_N = random.integers(0, 2, 400)
        error = random.uniform(0.05, 0.4)
        wrong_N = random.random(400)
        counts = [
            confusion_counts(truth_N, np.where(wrong_N < share, 1 - truth_N, truth_N), 2)
            for share in (error, error - gain)
        ]
        judged.append(JudgedImage(str(index), (f"half={index % 2}",), *counts))
    return judged


def of(found: list[Difference], metric: str) -> Difference:
    return next(each for each in found if each.metric == metric)


def test_metrics_are_those_of_the_added_counts() -> None:
    judged = images(20, 0.02)
    found = differences(judged, CLASSES)[OVERALL]
    a = named_metrics(np.sum([image.a_CC for image in judged], axis=0), CLASSES)
    b = named_metrics(np.sum([image.b_CC for image in judged], axis=0), CLASSES)
    assert {each.metric: (each.a, each.b) for each in found} == {name: (a[name], b[name]) for name in a}


def test_a_small_gain_on_every_image_is_clear_though_images_vary_more() -> None:
    found = of(differences(images(60, 0.02), CLASSES)[OVERALL], "pixel_accuracy")
    assert found.low is not None and found.high is not None
    assert 0 < found.low < found.change < found.high
    assert found.is_clear
    spread = np.std([accuracy(image.a_CC) for image in images(60, 0.02)]) / np.sqrt(60)
    assert found.high - found.low < 2 * spread


def test_intervals_cover_the_real_difference_as_often_as_they_should() -> None:
    covered = 0
    for seed in range(40):
        found = of(differences(images(40, 0.03, seed), CLASSES)[OVERALL], "pixel_accuracy")
        assert found.low is not None and found.high is not None
        covered += found.low <= 0.03 <= found.high
    assert covered >= 34  # Of 95 % of 40, 34 or fewer have a probability of 4 %.


def test_equal_models_do_not_differ() -> None:
    same = [image._replace(b_CC=image.a_CC) for image in images(10, 0.0)]
    for each in differences(same, CLASSES)[OVERALL]:
        assert (each.change, each.low, each.high, each.is_clear) == (0, 0, 0, False)


def test_each_slice_has_its_own_and_a_single_image_no_interval() -> None:
    judged = images(3, 0.02)
    found = differences(judged, CLASSES)
    assert list(found) == [OVERALL, "half=0", "half=1"]
    alone = of(found["half=1"], "pixel_accuracy")
    assert (alone.low, alone.high) == (None, None)
    assert alone.a == pytest.approx(accuracy(judged[1].a_CC))


def test_the_images_that_differ_most_come_first() -> None:
    judged = images(5, 0.0)
    better = judged[3]._replace(b_CC=np.diag(judged[3].a_CC.sum(axis=1)))
    judged[3] = better
    assert most_different(judged, 2)[0] is better
    assert len(most_different(judged, 2)) == 2
