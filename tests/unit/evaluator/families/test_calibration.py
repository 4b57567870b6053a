"""ECE, MCE and Brier score against their definitions, and numbers of a published implementation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from common.signatures import CONFIDENCE_BINS, RELIABILITY_SUMS
from components.evaluator.families.calibration import CalibrationFamily
from components.evaluator.families.config import Calibration

CLASSES = ("ground", "roof", "tree")


def sums_of(truth_N: np.ndarray, predicted_N: np.ndarray, confidence_N: np.ndarray) -> np.ndarray:
    """What a model counts, in NumPy."""
    sums_CMR = np.zeros([len(CLASSES), CONFIDENCE_BINS, len(RELIABILITY_SUMS)])
    bin_N = np.clip(np.ceil(confidence_N * CONFIDENCE_BINS).astype(int) - 1, 0, CONFIDENCE_BINS - 1)
    right_N = (truth_N == predicted_N).astype(float)
    rows = np.stack([np.ones_like(right_N), right_N, confidence_N, (confidence_N - right_N) ** 2], axis=-1)
    np.add.at(sums_CMR, (predicted_N, bin_N), rows)
    return sums_CMR


def made_up(seed: int = 7, pixels: int = 5000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, prediction and confidence of an overconfident network of three classes."""
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet([0.6, 0.5, 0.3], pixels)
    softer = probabilities**0.6 / (probabilities**0.6).sum(axis=1, keepdims=True)
    truth = (random.random((pixels, 1)) > softer.cumsum(axis=1)).sum(axis=1).clip(0, 2)
    return truth, probabilities.argmax(axis=1), probabilities.max(axis=1)


def measured(truth: np.ndarray, predicted: np.ndarray, confidence: np.ndarray, **settings: object) -> dict[str, float]:
    family = CalibrationFamily(Calibration(**settings), CLASSES)  # type: ignore[arg-type]
    values = family.values(family.count_bins(sums_of(truth, predicted, confidence)))
    return {name: float(value) for name, value in values.items()}


def errors_by_definition(right: np.ndarray, confidence: np.ndarray, bins: int) -> tuple[float, float]:
    """ECE and MCE, bin by bin (Guo et al. 2017, equations 3 and 5)."""
    expected, largest = 0.0, 0.0
    for m in range(bins):
        inside = (confidence > m / bins) & (confidence <= (m + 1) / bins)
        if inside.any():
            error = abs(right[inside].mean() - confidence[inside].mean())
            expected, largest = expected + inside.mean() * error, max(largest, error)
    return expected, largest


PUBLISHED = {
    10: {"ece": 0.1010006, "mce": 0.1556771, "ece/ground": 0.1106998, "ece/roof": 0.0985901, "ece/tree": 0.0879297},
    15: {"ece": 0.1010006, "mce": 0.1465410, "ece/ground": 0.1106999, "ece/roof": 0.0985901, "ece/tree": 0.0985330},
}
"""Of torchmetrics 1.9.0 with torch 2.5.1, `multiclass_calibration_error` with the norms l1 and max, by number of bins;
that of a class for its predicted pixels alone."""
PUBLISHED_BRIER_SCORE = 0.2235547
"""Of scikit-learn 1.5.1, `brier_score_loss` of the confidence for being right."""


@pytest.mark.parametrize("bins", PUBLISHED)
def test_figures_are_those_of_published_implementations(bins: int) -> None:
    found = measured(*made_up(), bins=bins)
    assert found == pytest.approx({**PUBLISHED[bins], "brier_score": PUBLISHED_BRIER_SCORE}, abs=5e-7)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 300), st.sampled_from([2, 10, 15, 20, 60]))
def test_figures_are_those_of_their_definitions(seed: int, pixels: int, bins: int) -> None:
    truth, predicted, confidence = made_up(seed, pixels)
    found = measured(truth, predicted, confidence, bins=bins)
    right = truth == predicted
    assert (found["ece"], found["mce"]) == pytest.approx(errors_by_definition(right, confidence, bins), abs=1e-9)
    assert found["brier_score"] == pytest.approx(np.mean((confidence - right) ** 2), abs=1e-9)
    for index, name in enumerate(CLASSES):
        of_class = predicted == index
        if of_class.any():
            expected, _ = errors_by_definition(right[of_class], confidence[of_class], bins)
            assert found[f"ece/{name}"] == pytest.approx(expected, abs=1e-9)
        else:
            assert np.isnan(found[f"ece/{name}"])


def test_a_network_that_is_right_as_often_as_it_says_has_no_error() -> None:
    """Of 20 pixels with a confidence of 0.75, fifteen are right."""
    truth = np.array([1] * 15 + [0] * 5)
    found = measured(truth, np.ones(20, int), np.full(20, 0.75))
    assert (found["ece"], found["mce"], found["ece/roof"]) == (0, 0, 0)
    assert found["brier_score"] == pytest.approx(0.75 * 0.25**2 + 0.25 * 0.75**2)


def test_errors_of_two_images_are_added_before_they_are_compared() -> None:
    """An image with too high a confidence and one with too low a confidence are calibrated together."""
    family = CalibrationFamily(Calibration(), CLASSES)
    counts = [
        family.count_bins(sums_of(np.array(truth), np.zeros(4, int), np.full(4, 0.5)))
        for truth in ([0, 1, 1, 1], [0, 0, 0, 1])
    ]
    assert [float(family.values(each)["ece"]) for each in counts] == [0.25, 0.25]
    assert float(family.values(counts[0] + counts[1])["ece"]) == 0


def test_only_the_named_classes_are_measured_by_themselves_but_all_pixels_count() -> None:
    found = measured(*made_up(), classes=["tree"])
    assert set(found) == {"ece", "mce", "brier_score", "ece/tree"}
    assert found["ece"] == measured(*made_up())["ece"]


def test_without_a_pixel_there_is_no_value() -> None:
    nothing = np.zeros(0, int)
    assert all(np.isnan(value) for value in measured(nothing, nothing, np.zeros(0)).values())


def test_bins_that_the_model_s_do_not_divide_into_are_refused() -> None:
    with pytest.raises(ValidationError, match="bins must be one of 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60"):
        Calibration(bins=16)
