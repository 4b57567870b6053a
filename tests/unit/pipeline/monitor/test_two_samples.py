"""Tests of the drift monitor: definitions, the stated rate of false alarms, and power against planted shifts."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from common.two_samples import as_values, distance, holm, least_significant, p_values
from components.evaluator.reference import ReferenceDistribution, make_reference
from pipeline.monitor.judging import Window, judge
from pipeline.monitor.settings import MonitorSettings
from serving.request_log.rows import LoggedImage

NOW = datetime.datetime(2026, 11, 27, tzinfo=datetime.timezone.utc)
CLASSES = ("ground", "roof", "tree")
FEATURES = (
    *(f"class_fraction/{name}" for name in CLASSES),
    "mean_confidence",
    "brightness",
    "contrast",
    "height",
    "width",
)
SIZES = np.array([[480, 640], [600, 800], [1080, 1920]])


def sample(
    random: np.random.Generator, images: int, brighter: float = 0, more_roof: float = 0
) -> dict[str, np.ndarray]:
    """Features of images as a model gives them: dependent on each other, with ties (sizes, absent classes)."""
    light = random.normal(0.45 + brighter, 0.12, images)
    roof = np.where(random.random(images) < 0.6, 0, random.beta(2 + 8 * more_roof, 6, images))
    tree = (1 - roof) * random.beta(2, 3, images)
    height, width = SIZES[random.choice(3, images, p=[0.6, 0.3, 0.1])].T
    return {
        "class_fraction/ground": 1 - roof - tree,
        "class_fraction/roof": roof,
        "class_fraction/tree": tree,
        "mean_confidence": np.clip(0.9 - 0.3 * np.abs(light - 0.45) + random.normal(0, 0.03, images), 0, 1),
        "brightness": np.clip(light, 0, 1),
        "contrast": np.clip(0.2 + 0.1 * light + random.normal(0, 0.03, images), 0, 1),
        "height": height,
        "width": width,
    }


def reference(features: dict[str, np.ndarray]) -> ReferenceDistribution:
    columns = zip(*(values.tolist() for values in features.values()), strict=True)
    values = [dict(zip(features, column, strict=True)) for column in columns]
    return make_reference("test", len(values), 0, CLASSES, values)


def rows(features: dict[str, np.ndarray]) -> list[LoggedImage]:
    found = []
    for values in zip(*(values.tolist() for values in features.values()), strict=True):
        named = dict(zip(features, values, strict=True))
        fractions = {name: named.pop(f"class_fraction/{name}") for name in CLASSES}
        found.append(LoggedImage(time=NOW, version=1, status="OK", class_fractions=fractions, **named))
    return found


def verdict(before: Sequence[LoggedImage] | dict, now: dict, **settings: object) -> set[str]:
    """The features of the window `now` that drifted."""
    window = Window(1, NOW, NOW, rows(now))
    result = judge(window, reference(before), MonitorSettings(**settings))  # type: ignore[arg-type]
    assert result.is_judged
    return {feature.name for feature in result.drifted}


# ---- definitions -----------------------------------------------------------------------------------------------------


def test_the_distance_is_that_of_kolmogorov_and_smirnov() -> None:
    random = np.random.default_rng(0)
    for _ in range(20):
        first, second = random.integers(0, 9, 30).astype(float), random.normal(4, 3, 50)
        assert distance(first, second) == pytest.approx(stats.ks_2samp(first, second).statistic)
    assert distance(np.zeros(3), np.zeros(5)) == 0
    assert distance(np.zeros(3), np.ones(5)) == 1


def test_the_p_value_is_that_of_scipy() -> None:
    random = np.random.default_rng(1)
    first, second = random.normal(0, 1, 120), random.normal(0.2, 1, 300)
    expected = stats.ks_2samp(first, second, method="asymp")
    assert p_values(np.array([expected.statistic]), np.array([120]), np.array([300])) == pytest.approx(expected.pvalue)


def test_the_least_significant_distance_is_where_the_corrected_p_value_is_the_level() -> None:
    least = least_significant(120, 300, features=8, level=0.01)
    for far, is_significant in ((least + 1e-6, True), (least - 1e-6, False)):
        p_F = np.array([p_values(np.array([far]), np.array([120]), np.array([300]))[0], *[1.0] * 7])
        assert (holm(p_F)[0] < 0.01) == is_significant


def test_holm_corrects_as_published() -> None:
    # Holm (1979): the i-th smallest p is compared with α / (k − i + 1).
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.9, 0.8])) == pytest.approx([1, 1])


def test_values_of_a_log_and_of_a_reference_are_equal_if_they_were_measured_equal() -> None:
    measured = np.random.default_rng(7).random(10_000).astype(np.float32)
    logged = as_values([*measured.tolist(), None, 0.0, 1.0, 1 / 64, 1920])
    features = [dict.fromkeys(FEATURES, value) for value in (*measured.tolist(), 0.0, 1.0, 1 / 64, 1920)]
    recorded = make_reference("test", len(features), 0, CLASSES, features).brightness
    assert np.array_equal(logged, as_values(recorded))
    assert logged == pytest.approx(np.array([*measured, 0.0, 1.0, 1 / 64, 1920]), rel=1e-3)


# ---- false alarms ----------------------------------------------------------------------------------------------------


def false_alarms(windows: int, images: int, known: int, rate: float) -> int:
    """How many of `windows` without a shift are reported, each with a reference of its own."""
    random = np.random.default_rng(2)
    settings = {"false_alarms": rate, "least_distance": 0}
    return sum(bool(verdict(sample(random, known), sample(random, images), **settings)) for _ in range(windows))


def test_few_of_150_windows_without_a_shift_are_reported() -> None:
    assert false_alarms(150, images=60, known=100, rate=0.05) <= 14  # 7.5 are expected at most, σ = 2.7.


@pytest.mark.slow
@pytest.mark.parametrize(("images", "known"), [(50, 100), (100, 500), (500, 200)])
def test_of_10_000_windows_without_a_shift_one_per_cent_are_reported_at_most(images: int, known: int) -> None:
    assert false_alarms(10_000, images, known, rate=0.01) <= 120  # 100 are expected at most, σ = 10.


def test_near_equal_frames_raise_the_rate_unless_they_are_named() -> None:
    random = np.random.default_rng(3)

    def alarms(frames: int) -> int:
        count = 0
        for _ in range(40):
            scenes = sample(random, 50)
            window = {name: np.repeat(values, 4) for name, values in scenes.items()}
            before = {name: np.repeat(values, 4) for name, values in sample(random, 75).items()}
            count += bool(verdict(before, window, false_alarms=0.05, least_distance=0, frames=frames))
        return count

    assert alarms(1) > 10
    assert alarms(4) <= 6


# ---- power -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shift", "feature"),
    [({"brighter": 0.12}, "brightness"), ({"more_roof": 1.0}, "class_fraction/roof")],
)
def test_a_planted_shift_is_found_in_a_window_of_200(shift: dict[str, float], feature: str) -> None:
    random = np.random.default_rng(4)
    found = [feature in verdict(sample(random, 300), sample(random, 200, **shift)) for _ in range(40)]
    assert np.mean(found) >= 0.95


def test_a_new_camera_is_found_by_its_size() -> None:
    random = np.random.default_rng(5)
    window = sample(random, 100)
    window["height"], window["width"] = np.full(100, 1200), np.full(100, 1600)
    assert verdict(sample(random, 300), window) == {"height", "width"}


def test_a_shift_that_is_too_small_to_matter_is_not_reported_however_significant() -> None:
    random = np.random.default_rng(6)
    before, now = sample(random, 3000), sample(random, 3000, brighter=0.02)
    assert "brightness" in verdict(before, now, least_distance=0)
    assert verdict(before, now) == set()
