import numpy as np
import pytest

from components.evaluator.config import EvaluatorConfig, Threshold
from components.evaluator.counts import named_metrics
from components.evaluator.results import Estimate, Measured, SliceMetrics
from components.evaluator.verdict import judge

CLASSES = ("ground", "roof")


def part(
    confusion: list[list[int]],
    column: str | None = None,
    value: str | None = None,
    classes: tuple[str, ...] = CLASSES,
) -> SliceMetrics:
    named = named_metrics(np.array(confusion), classes)
    estimates = {name: Estimate(value=None if np.isnan(figure) else figure) for name, figure in named.items()}
    return SliceMetrics(
        column=column,
        value=value,
        pictures=1,
        iou={name: estimates[f"iou/{name}"] for name in classes},
        dice={name: estimates[f"dice/{name}"] for name in classes},
        confusion=tuple(map(tuple, confusion)),
        **{name: estimates[name] for name in ("mean_iou", "mean_dice", "pixel_accuracy")},
    )


def part3(confusion: list[list[int]]) -> SliceMetrics:
    return part(confusion, classes=(*CLASSES, "rare"))


WITHOUT_RARE = part3([[9, 1, 0], [0, 10, 0], [0, 0, 0]])


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
    assert verdict.checks[0].detail == "pixel_accuracy 0.900 on overall is below the threshold 0.910."


def test_a_bound_that_is_missed_by_little_is_shown_with_enough_decimals() -> None:
    detail = judge(config(metric="pixel_accuracy", at_least=0.90001), GOOD, None, None).checks[0].detail
    assert detail == "pixel_accuracy 0.90000 on overall is below the threshold 0.90001."


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


CONSTANT = Measured(overall=part([[10, 0], [10, 0]]))
ONE_CLASS = [
    pytest.param([[20, 0], [0, 0]], id="the first class, found"),
    pytest.param([[18, 2], [0, 0]], id="the first class, missed in places"),
    pytest.param([[0, 0], [0, 20]], id="another class"),
]
DEFAULT = EvaluatorConfig()


@pytest.mark.parametrize("confusion", ONE_CLASS)
@pytest.mark.parametrize(
    "bound",
    [
        {"metric": "mean_iou", "at_least": 0.0},
        {"metric": "mean_dice", "at_least": 0.1},
        {"metric": "pixel_accuracy", "at_least": 0.1},
        {"metric": "mean_iou", "may_drop": 1.0},
        {"metric": "mean_iou", "better_than_constant": True},
    ],
    ids=lambda bound: "-".join(bound),
)
def test_nothing_is_blessed_where_one_class_has_pixels(confusion: list[list[int]], bound: dict) -> None:
    measured = Measured(overall=part(confusion))
    verdict = judge(config(**bound), measured, measured, 3)
    only = "roof" if confusion[1][1] else "ground"
    assert not verdict.blessed
    assert verdict.checks[0].detail == (
        f"No verdict is possible: the masks of the test split have pixels of {only} only; "
        "check data.labels, or give that split images of other classes."
    )


def test_nothing_is_blessed_where_no_pixel_counts() -> None:
    verdict = judge(config(metric="pixel_accuracy", at_least=0.0), Measured(overall=part([[0, 0], [0, 0]])), None, None)
    assert not verdict.blessed
    assert "have no pixel that counts" in verdict.checks[0].detail


def test_a_mean_is_not_measured_on_slices_of_one_class_alone() -> None:
    ponds = judge(config(metric="mean_iou", at_least=0.1, slice={"place": "pond"}), GOOD, None, None)
    assert [(check.value, check.passed) for check in ponds.checks] == [(None, False)]
    assert "mean_iou on place=pond could not be measured: there are pixels of ground only" in ponds.checks[0].detail
    both = judge(config(metric="mean_iou", at_least=0.1, slice="place"), GOOD, None, None)
    assert both.blessed and [check.slice for check in both.checks] == ["place=town", "place=pond"]
    assert both.checks[1].detail.endswith("meets the threshold 0.100, over 1 of 2 classes.")


def test_a_bound_that_fails_on_a_slice_of_one_class_still_fails() -> None:
    flooded = Measured(overall=GOOD.overall, slices=(GOOD.slices[0], part([[1, 4], [0, 0]], "place", "pond")))
    verdict = judge(config(metric="mean_iou", at_least=0.5, slice="place"), flooded, None, None)
    assert [check.passed for check in verdict.checks] == [True, False]


@pytest.mark.parametrize("bound", [{"at_least": 0.0}, {"may_drop": 1.0}, {"better_than_constant": True}])
def test_a_class_that_is_only_predicted_is_not_measured(bound: dict) -> None:
    invented = Measured(overall=part3([[8, 1, 1], [0, 10, 0], [0, 0, 0]]))
    verdict = judge(config(metric="iou/rare", **bound), invented, invented, 3)
    assert not verdict.blessed
    assert "iou/rare on overall could not be measured" in verdict.checks[0].detail
    assert "Predicted without a test pixel, so counted with IoU 0: rare." in verdict.warnings


def test_absent_classes_are_named_beside_a_blessing() -> None:
    verdict = judge(config(metric="mean_iou", at_least=0.5), Measured(overall=WITHOUT_RARE), None, None)
    assert verdict.blessed
    assert verdict.warnings[0] == "No test pixel of: rare. The means go over 2 of 3 classes."
    assert verdict.checks[0].detail.endswith("meets the threshold 0.500, over 2 of 3 classes.")


def test_the_default_bound_blesses_no_constant_prediction() -> None:
    verdict = judge(DEFAULT, CONSTANT, None, None)
    assert [(check.kind, check.passed) for check in verdict.checks] == [
        ("at_least", False),
        ("better_than_constant", False),
    ]
    assert verdict.checks[1].detail == (
        "mean_iou 0.250 on overall is not better than predicting one class everywhere (0.250)."
    )


def test_a_bound_of_ones_own_may_bless_it_and_the_verdict_warns() -> None:
    verdict = judge(config(metric="mean_iou", at_least=0.01), CONSTANT, None, None)
    assert verdict.blessed
    assert verdict.warnings[0].startswith("mean_iou 0.250 is not better than predicting one class everywhere (0.250)")


def test_a_constant_is_to_be_beaten_on_each_slice_that_has_two_classes() -> None:
    bound = {"metric": "mean_iou", "better_than_constant": True, "slice": "place"}
    verdict = judge(config(**bound), GOOD, None, None)
    assert [(check.slice, check.passed) for check in verdict.checks] == [("place=town", True)]
    ponds = judge(config(**bound | {"slice": {"place": "pond"}}), GOOD, None, None)
    assert not ponds.blessed and "could not be measured" in ponds.checks[0].detail


def test_an_interval_that_reaches_down_to_the_constant_is_told() -> None:
    unsure = GOOD.overall.model_copy(update={"mean_iou": Estimate(value=0.8, low=0.2, high=1.0)})
    warnings = judge(config(metric="mean_iou", at_least=0.5), Measured(overall=unsure), None, None).warnings
    assert "The interval of mean_iou reaches down to 0.200" in warnings[0]


@pytest.mark.parametrize(("pictures", "told"), [(1, "has 1 image:"), (9, "has 9 images:"), (10, "")])
def test_few_images_are_told(pictures: int, told: str) -> None:
    measured = Measured(overall=GOOD.overall.model_copy(update={"pictures": pictures}))
    warnings = judge(config(metric="mean_iou", at_least=0.5), measured, None, None).warnings
    assert told in " ".join(warnings) and bool(warnings) is bool(told)


def test_a_drop_is_measured_over_the_classes_that_both_models_have() -> None:
    """A stray pixel of a class that the truth lacks must not make the baseline easy to reach."""
    stray = Measured(overall=part3([[9, 0, 1], [0, 10, 0], [0, 0, 0]]))
    worse = Measured(overall=part3([[5, 5, 0], [0, 10, 0], [0, 0, 0]]))
    assert stray.overall.mean_iou.value < worse.overall.mean_iou.value + 0.07
    verdict = judge(config(metric="mean_iou", may_drop=0.07), worse, stray, 3)
    assert not verdict.blessed
    assert "(baseline 0.950 less 0.07), over the 2 classes that both models are measured on" in verdict.checks[0].detail
    assert judge(config(metric="mean_iou", may_drop=0.05), stray, Measured(overall=WITHOUT_RARE), 3).blessed


def test_a_calibration_error_of_a_class_that_is_never_predicted_says_so() -> None:
    overall = part([[8, 0], [2, 0]])
    overall = overall.model_copy(update={"further": {"ece/roof": Estimate(value=None), "ece": Estimate(value=0.1)}})
    missed = judge(config(metric="ece/roof", at_most=0.1), Measured(overall=overall), None, None)
    assert not missed.blessed and missed.checks[0].detail == (
        "ece/roof on overall could not be measured: no pixel is predicted as that class."
    )
    assert judge(config(metric="ece", at_most=0.1), Measured(overall=overall), None, None).blessed
