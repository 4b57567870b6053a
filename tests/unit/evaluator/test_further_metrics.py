"""The metrics of `evaluator.metrics` through TFMA: on slices, with intervals, beside a baseline, in thresholds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.errors import UserError
from components.evaluator.config import EvaluatorConfig
from components.evaluator.families.build import Families
from components.evaluator.results import SliceMetrics
from components.evaluator.thresholds import check_thresholds
from tests.unit.evaluator.conftest import CLASSES, GOOD, WORSE, Picture, predict

METRICS: list[Any] = ["boundary", {"type": "surface", "tolerance": 1}, {"type": "objects", "classes": ["roof"]}]


def config(intervals: bool = False, **threshold: Any) -> EvaluatorConfig:
    return EvaluatorConfig.model_validate(
        {
            "metrics": METRICS,
            "slices": ["place"],
            "thresholds": [{"metric": "mean_iou", "at_least": 0.1, **threshold}],
            "confidence_intervals": intervals,
            "batch_size": 5,
        }
    )


def assert_is(measured: SliceMetrics, pictures: list[Picture], levels: tuple[int, ...]) -> None:
    """Every figure is what the families give for the sum over the pictures."""
    families = Families(config().metrics, CLASSES)
    sums = sum(families.count(each.mask_HW, predict(each, levels).astype(np.uint8)) for each in pictures)
    expected = families.values(np.asarray(sums))
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


def test_they_have_intervals_and_a_distance_may_exceed_1(evaluate: Callable, pictures: list[Picture]) -> None:
    overall = evaluate(pictures, config(intervals=True), WORSE).evaluation.candidate.overall
    for name in ("boundary_iou/water", "surface_dice/water", "hd95/water"):
        estimate = overall.further[name]
        assert 0 <= estimate.low < estimate.value < estimate.high
    assert overall.further["hd95/water"].high > 1 >= overall.further["boundary_iou/water"].high


@pytest.mark.parametrize(
    ("threshold", "blessed", "detail"),
    [
        ({"metric": "boundary_iou/water", "at_least": 0.01}, True, "meets the threshold 0.010"),
        ({"metric": "hd95/water", "at_least": None, "at_most": 100}, True, "meets the threshold 100.000"),
        ({"metric": "hd95/water", "at_least": None, "at_most": 0}, False, "overall is above the threshold 0.000"),
        ({"metric": "object_f1/roof", "at_least": None, "may_drop": 0.0}, True, "(baseline "),
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
