import numpy as np
import pytest

from components.evaluator.config import EvaluatorConfig, Threshold
from components.evaluator.counts import named_metrics
from components.evaluator.results import Estimate, Measured, SliceMetrics
from components.evaluator.verdict import judge

CLASSES = ("ground", "roof")


def part(confusion: list[list[int]], column: str | None = None, value: str | None = None) -> SliceMetrics:
    named = named_metrics(np.array(confusion), CLASSES)
    estimates = {name: Estimate(value=None if np.isnan(figure) else figure) for name, figure in named.items()}
    return SliceMetrics(
        column=column,
        value=value,
        pictures=1,
        iou={name: estimates[f"iou/{name}"] for name in CLASSES},
        dice={name: estimates[f"dice/{name}"] for name in CLASSES},
        confusion=tuple(map(tuple, confusion)),
        **{name: estimates[name] for name in ("mean_iou", "mean_dice", "pixel_accuracy")},
    )


def config(**threshold: object) -> EvaluatorConfig:
    return EvaluatorConfig(slices=("place",), thresholds=(Threshold.model_validate(threshold),))


GOOD = Measured(
    overall=part([[8, 2], [0, 10]]),
    slices=(part([[8, 2], [0, 10]], "place", "town"), part([[5, 0], [0, 0]], "place", "pond")),
)
BAD = Measured(
    overall=part([[5, 5], [0, 10]]),
    slices=(part([[5, 5], [0, 10]], "place", "town"), part([[5, 0], [0, 0]], "place", "pond")),
)


def test_a_value_at_its_bound_passes_and_one_below_fails() -> None:
    assert judge(config(metric="pixel_accuracy", at_least=0.9), GOOD, None, None).blessed
    verdict = judge(config(metric="pixel_accuracy", at_least=0.91), GOOD, None, None)
    assert not verdict.blessed
    assert verdict.checks[0].detail == "pixel_accuracy 0.900 on overall is under the bound 0.910."


def test_a_bound_that_is_missed_by_little_is_shown_with_enough_decimals() -> None:
    detail = judge(config(metric="pixel_accuracy", at_least=0.90001), GOOD, None, None).checks[0].detail
    assert detail == "pixel_accuracy 0.90000 on overall is under the bound 0.90001."


def test_without_a_baseline_a_drop_is_not_asked_and_the_note_says_so() -> None:
    verdict = judge(config(metric="mean_iou", may_drop=0.0), GOOD, None, None)
    assert verdict.blessed
    assert verdict.checks == ()
    assert "no baseline" in verdict.note
    assert verdict.baseline_version is None


def test_a_model_equal_to_its_baseline_may_drop_nothing_and_passes() -> None:
    verdict = judge(config(metric="mean_iou", may_drop=0.0), GOOD, GOOD, 3)
    assert verdict.blessed
    assert verdict.baseline_version == 3
    assert verdict.note == "Compared with version 3."


@pytest.mark.parametrize(("may_drop", "blessed"), [(0.14, False), (0.15, True), (0.16, True)])
def test_a_model_may_fall_behind_its_baseline_as_far_as_is_said(may_drop: float, blessed: bool) -> None:
    verdict = judge(config(metric="pixel_accuracy", may_drop=may_drop), BAD, GOOD, 3)
    assert verdict.blessed is blessed
    assert verdict.checks[0].bound == pytest.approx(0.9 - may_drop)
    assert f"(baseline 0.900 less {may_drop:g})" in verdict.checks[0].detail


def test_both_bounds_of_a_threshold_must_hold() -> None:
    verdict = judge(config(metric="pixel_accuracy", at_least=0.5, may_drop=0.0), BAD, GOOD, 3)
    assert [(check.kind, check.passed) for check in verdict.checks] == [("at_least", True), ("may_drop", False)]
    assert not verdict.blessed


def test_a_column_is_asked_on_each_of_its_values_that_has_the_class() -> None:
    both = judge(config(metric="iou/ground", at_least=0.7, slice="place"), GOOD, None, None)
    assert [check.slice for check in both.checks] == ["place=town", "place=pond"]
    roofs = judge(config(metric="iou/roof", at_least=0.7, slice="place"), GOOD, None, None)
    assert [check.slice for check in roofs.checks] == ["place=town"]
    assert roofs.blessed


def test_one_value_of_a_column_is_asked_alone() -> None:
    verdict = judge(config(metric="iou/ground", at_least=0.9, slice={"place": "pond"}), GOOD, None, None)
    assert [(check.slice, check.passed) for check in verdict.checks] == [("place=pond", True)]


@pytest.mark.parametrize("bound", [{"at_least": 0.1}, {"may_drop": 0.5}])
@pytest.mark.parametrize("where", [{"place": "desert"}, "season", {"place": "pond"}])
def test_what_could_be_measured_nowhere_is_not_blessed(bound: dict, where: object) -> None:
    verdict = judge(config(metric="iou/roof", slice=where, **bound), GOOD, GOOD, 3)
    assert not verdict.blessed
    assert verdict.checks[0].value is None
    assert "could not be measured" in verdict.checks[0].detail


def test_a_baseline_that_has_no_value_on_a_slice_gives_no_verdict_there() -> None:
    absent = Measured(overall=GOOD.overall, slices=GOOD.slices[:1])
    verdict = judge(config(metric="iou/ground", may_drop=0.0, slice="place"), GOOD, absent, 3)
    assert [check.slice for check in verdict.checks] == ["place=town"]
