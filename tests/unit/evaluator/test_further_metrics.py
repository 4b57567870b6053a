"""The metrics of `evaluator.metrics` through TFMA: on slices, with intervals, beside a baseline, in thresholds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.errors import UserError
from common.records import VOID
from common.reliability import reliability_sums
from components.evaluator.config import EvaluatorConfig
from components.evaluator.families.build import Families
from components.evaluator.results import SliceMetrics
from components.evaluator.thresholds import check_thresholds
from tests.unit.evaluator.conftest import CLASSES, GOOD, WORSE, Picture, confidence, predict

METRICS: list[Any] = [
    "boundary",
    {"type": "surface", "tolerance": 1},
    {"type": "objects", "classes": ["roof"]},
    {"type": "calibration", "bins": 10, "classes": ["water"]},
]


def config(intervals: bool = False, metrics: list[Any] = METRICS, **threshold: Any) -> EvaluatorConfig:
    return EvaluatorConfig.model_validate(
        {
            "metrics": metrics,
            "slices": ["place"],
            "thresholds": [{"metric": "mean_iou", "at_least": 0.1, **threshold}],
            "confidence_intervals": intervals,
            "batch_size": 5,
        }
    )


def assert_is(measured: SliceMetrics, pictures: list[Picture], levels: tuple[int, ...]) -> None:
    """Every figure is what the families give for the sum over the pictures."""
    families = Families(config().metrics, CLASSES)
    sums = np.zeros(families.size)
    for each in pictures:
        predicted_HW = predict(each, levels).astype(np.uint8)
        reliability_CMR = reliability_sums(each.mask_HW, predicted_HW, confidence(each), len(CLASSES)).numpy()
        sums += families.count(each.mask_HW, predicted_HW, reliability_CMR)
    expected = families.values(sums)
    assert set(measured.further) == set(expected)
    for name, value in expected.items():
        found = measured.further[name].value
        assert np.isnan(value) if found is None else found == pytest.approx(float(value), abs=1e-6)


def test_they_are_measured_on_the_split_and_on_slices_for_both_models(
    evaluate: Callable, pictures: list[Picture]
) -> None:
    evaluation = evaluate(pictures, config(), GOOD, WORSE).evaluation
    for measured, levels in ((evaluation.candidate, GOOD), (evaluation.baseline, WORSE)):
        assert_is(measured.overall, pictures, levels)
        for part in measured.slices:
            assert_is(part, [each for each in pictures if each.slices["place"] == part.value], levels)
    pond = next(part for part in evaluation.candidate.slices if part.value == "pond")
    assert pond.further["panoptic_quality/roof"].value is None  # No roof in a pond.


def test_the_reliability_diagram_has_the_pixels_of_each_bin_of_confidence(
    evaluate: Callable, pictures: list[Picture]
) -> None:
    evaluation = evaluate(pictures, config(metrics=[{"type": "calibration", "bins": 5}])).evaluation
    ponds = [each for each in pictures if each.slices["place"] == "pond"]
    for part, inside in ((evaluation.candidate.overall, pictures), (evaluation.candidate.slices[0], ponds)):
        known_N = np.concatenate([each.mask_HW.ravel() != VOID for each in inside])
        right_N = np.concatenate([(predict(each, GOOD) == each.mask_HW).ravel() for each in inside])[known_N]
        confidence_N = np.concatenate([confidence(each).ravel() for each in inside])[known_N]
        assert [(each.low, each.high) for each in part.reliability] == [(m / 5, (m + 1) / 5) for m in range(5)]
        for m, found in enumerate(part.reliability):
            in_bin_N = np.ceil(confidence_N * 5) == m + 1
            assert found.pixels == in_bin_N.sum() > 0
            assert found.accuracy == pytest.approx(right_N[in_bin_N].mean(), abs=1e-6)
            assert found.confidence == pytest.approx(confidence_N[in_bin_N].mean(), abs=1e-6)


def test_they_have_intervals_and_a_distance_may_exceed_1(evaluate: Callable, pictures: list[Picture]) -> None:
    overall = evaluate(pictures, config(intervals=True), WORSE).evaluation.candidate.overall
    for name in ("boundary_iou/water", "surface_dice/water", "hd95/water"):
        estimate = overall.further[name]
        assert 0 <= estimate.low < estimate.value < estimate.high
    assert overall.further["hd95/water"].high > 1 >= overall.further["boundary_iou/water"].high
    for name in ("ece", "mce", "brier_score", "ece/water"):
        estimate = overall.further[name]
        assert 0 <= estimate.low < estimate.value < estimate.high <= 1


@pytest.mark.parametrize(
    ("threshold", "blessed", "detail"),
    [
        ({"metric": "boundary_iou/water", "at_least": 0.01}, True, "meets the threshold 0.010"),
        ({"metric": "hd95/water", "at_least": None, "at_most": 100}, True, "meets the threshold 100.000"),
        ({"metric": "hd95/water", "at_least": None, "at_most": 0}, False, "overall is above the threshold 0.000"),
        ({"metric": "object_f1/roof", "at_least": None, "may_drop": 0.0}, True, "(baseline "),
        ({"metric": "ece", "at_least": None, "at_most": 0.01}, False, "on overall is above the threshold 0.010"),
        ({"metric": "ece/water", "at_least": None, "at_most": 1}, True, "meets the threshold 1.000"),
    ],
)
def test_thresholds_may_name_them(
    evaluate: Callable, pictures: list[Picture], threshold: dict[str, Any], blessed: bool, detail: str
) -> None:
    verdict = evaluate(pictures, config(**threshold), GOOD, WORSE).evaluation.verdict
    assert verdict.blessed is blessed
    assert detail in verdict.checks[0].detail


def test_a_baseline_that_gives_no_masks_is_not_compared_with(
    evaluate: Callable, pictures: list[Picture], maskless_model: Path
) -> None:
    evaluation = evaluate(pictures, config(may_drop=0.0), GOOD, maskless_model).evaluation
    assert evaluation.baseline is None and evaluation.verdict.blessed
    assert "Not compared with version 3, which was exported by an older segpipe" in evaluation.verdict.note


def test_a_baseline_that_gives_no_reliability_is_compared_with_unless_calibration_is_measured(
    evaluate: Callable, pictures: list[Picture], masks_alone_model: Path
) -> None:
    asked = config(metrics=["boundary"], may_drop=0.0)
    assert evaluate(pictures, asked, GOOD, masks_alone_model).evaluation.baseline is not None
    evaluation = evaluate(pictures, config(metrics=["calibration"]), GOOD, masks_alone_model).evaluation
    assert evaluation.baseline is None and "does not give what evaluator.metrics are" in evaluation.verdict.note


def test_a_model_that_gives_no_reliability_is_refused_before_it_is_evaluated(
    evaluate: Callable, pictures: list[Picture], masks_alone_model: Path, maskless_model: Path
) -> None:
    with pytest.raises(UserError, match=r"does not give reliability for evaluator.metrics: train it again"):
        evaluate(pictures, config(metrics=["calibration"]), masks_alone_model)
    with pytest.raises(UserError, match=r"does not give mask_bytes and reliability for evaluator.metrics"):
        evaluate(pictures, config(), maskless_model)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"metrics": [{"type": "objects", "classes": ["rooof"]}]},
            r"metrics\[0\]\.classes: .*'rooof'; did you mean 'roof'",
        ),
        ({"metrics": ["surface", {"type": "surface", "tolerance": 3}]}, r"metrics\[1\]: surface is there twice"),
        ({"thresholds": [{"metric": "boundary_iou/roof", "at_least": 0.5}]}, r"no metric 'boundary_iou/roof'"),
        (
            {"metrics": ["boundary"], "thresholds": [{"metric": "boundary_iou/rof", "at_least": 0.5}]},
            r"did you mean 'boundary_iou/roof'",
        ),
    ],
)
def test_names_that_do_not_exist_are_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        check_thresholds(EvaluatorConfig.model_validate(changes), CLASSES)
