from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from common.errors import UserError
from components.evaluator import counts
from components.evaluator.config import EvaluatorConfig, Threshold
from components.evaluator.executor import closing_line
from components.evaluator.reference import REFERENCE_FILE, ReferenceDistribution
from components.evaluator.results import SliceMetrics
from tests.unit.evaluator.conftest import Picture, predict

CLASSES = ("ground", "water", "roof")
GOOD, WORSE = (75, 150), (110, 150)
FAST = {"confidence_intervals": False, "batch_size": 5}


def assert_is(measured: SliceMetrics, confusion: np.ndarray, pictures: int) -> None:
    """Every figure is what NumPy reckons from the counts."""
    assert measured.pictures == pictures
    assert measured.confusion == tuple(map(tuple, confusion.tolist()))
    for name, expected in counts.named_metrics(confusion, CLASSES).items():
        value = measured.metric(name).value
        assert np.isnan(expected) if value is None else value == pytest.approx(expected, abs=1e-6)


def test_without_a_baseline_the_absolute_bounds_decide(evaluate: Callable, pictures: list, confusion: Callable) -> None:
    config = EvaluatorConfig(thresholds=(Threshold(metric="mean_iou", at_least=0.5, may_drop=0.0),), **FAST)
    outcome = evaluate(pictures, config)
    assert_is(outcome.evaluation.candidate.overall, confusion(pictures), len(pictures))
    assert outcome.evaluation.baseline is None
    assert outcome.evaluation.verdict.blessed
    assert "no baseline" in outcome.evaluation.verdict.note
    assert outcome.blessing.get_int_custom_property("blessed") == 1
    assert [path.name for path in Path(outcome.blessing.uri).iterdir()] == ["BLESSED"]


def test_a_model_under_an_absolute_bound_is_not_blessed(evaluate: Callable, pictures: list) -> None:
    outcome = evaluate(pictures, EvaluatorConfig(thresholds=(Threshold(metric="iou/roof", at_least=1.0),), **FAST))
    assert not outcome.evaluation.verdict.blessed
    assert outcome.blessing.get_int_custom_property("blessed") == 0
    assert [path.name for path in Path(outcome.blessing.uri).iterdir()] == ["NOT_BLESSED"]
    assert "blessed: no: iou/roof" in closing_line(outcome.evaluation)


@pytest.mark.parametrize(("levels", "baseline", "blessed"), [(GOOD, WORSE, True), (WORSE, GOOD, False)])
def test_a_model_may_not_fall_behind_its_baseline(
    evaluate: Callable, pictures: list, confusion: Callable, levels: tuple, baseline: tuple, blessed: bool
) -> None:
    config = EvaluatorConfig(thresholds=(Threshold(metric="mean_iou", may_drop=0.0),), **FAST)
    evaluation = evaluate(pictures, config, levels, baseline).evaluation
    assert_is(evaluation.candidate.overall, confusion(pictures, levels), len(pictures))
    assert_is(evaluation.baseline.overall, confusion(pictures, baseline), len(pictures))
    assert evaluation.verdict.blessed is blessed
    assert evaluation.verdict.baseline_version == 3


def test_slices_are_measured_for_both_models_and_an_absent_class_gives_no_verdict(
    evaluate: Callable, pictures: list, confusion: Callable
) -> None:
    config = EvaluatorConfig(
        slices=("place", "light"),
        thresholds=(Threshold(metric="iou/roof", at_least=0.5, may_drop=0.0, slice="place"),),
        **FAST,
    )
    evaluation = evaluate(pictures, config, GOOD, WORSE).evaluation
    for measured, levels in ((evaluation.candidate, GOOD), (evaluation.baseline, WORSE)):
        places = {(part.column, part.value): part for part in measured.slices}
        assert set(places) == {("place", "town"), ("place", "pond"), ("light", "dim")}
        for (column, value), part in places.items():
            inside = [picture for picture in pictures if picture.slices.get(column) == value]
            assert_is(part, confusion(inside, levels), len(inside))
    assert evaluation.candidate.slices[1].value == "pond"
    assert evaluation.candidate.slices[1].iou["roof"].value is None
    assert [(check.slice, check.passed) for check in evaluation.verdict.checks] == [("place=town", True)] * 2
    assert evaluation.verdict.blessed


def test_a_model_that_is_its_own_baseline_passes_with_no_drop_and_is_called_identical(
    evaluate: Callable, pictures: list
) -> None:
    config = EvaluatorConfig(thresholds=(Threshold(metric="mean_iou", may_drop=0.0),), **FAST)
    evaluation = evaluate(pictures, config, GOOD, GOOD).evaluation
    assert evaluation.verdict.blessed
    assert evaluation.verdict.note == "The model is identical to version 3."
    assert evaluation.baseline == evaluation.candidate


def test_a_baseline_with_other_classes_is_not_compared(evaluate: Callable, pictures: list) -> None:
    config = EvaluatorConfig(thresholds=(Threshold(metric="mean_iou", at_least=0.5, may_drop=0.0),), **FAST)
    evaluation = evaluate(pictures, config, GOOD, (50, 100, 150)).evaluation
    assert evaluation.baseline is None
    assert "different classes" in evaluation.verdict.note
    assert [check.kind for check in evaluation.verdict.checks] == ["at_least"]


def test_a_baseline_that_counts_at_another_size_is_not_compared(
    evaluate: Callable, pictures: list, shrinking_model: Path
) -> None:
    config = EvaluatorConfig(thresholds=(Threshold(metric="mean_iou", at_least=0.5, may_drop=0.0),), **FAST)
    evaluation = evaluate(pictures, config, GOOD, shrinking_model).evaluation
    assert evaluation.baseline is None and evaluation.verdict.baseline_version is None
    assert "Not compared with version 3, which was exported by an older segpipe" in evaluation.verdict.note
    assert [check.kind for check in evaluation.verdict.checks] == ["at_least"]


def test_a_model_with_other_classes_is_refused(evaluate: Callable, pictures: list) -> None:
    with pytest.raises(UserError, match="was not trained for the 3 classes"):
        evaluate(pictures, EvaluatorConfig(**FAST), (50, 100, 150))


def test_a_split_without_pictures_is_refused(evaluate: Callable) -> None:
    with pytest.raises(UserError, match="the split test has no images"):
        evaluate([], EvaluatorConfig(**FAST))


def test_a_split_that_does_not_exist_is_refused(evaluate: Callable, pictures: list) -> None:
    with pytest.raises(UserError, match="no split eval"):
        evaluate(pictures, EvaluatorConfig(split="eval", **FAST))


def test_a_threshold_on_what_does_not_exist_is_refused(evaluate: Callable, pictures: list) -> None:
    config = EvaluatorConfig(thresholds=(Threshold(metric="iou/rof", at_least=0.5),), **FAST)
    with pytest.raises(UserError, match="did you mean 'roof'"):
        evaluate(pictures, config)


def test_intervals_hold_the_value_are_reproducible_and_shown(evaluate: Callable, pictures: list) -> None:
    config = EvaluatorConfig(slices=("place",), batch_size=5)
    evaluation = evaluate(pictures, config, GOOD, WORSE).evaluation
    for measured in (evaluation.candidate, evaluation.baseline):
        for metric in ("mean_iou", "mean_dice", "pixel_accuracy", "iou/water", "dice/water"):
            estimate = measured.overall.metric(metric)
            assert 0 <= estimate.low < estimate.value < estimate.high <= 1
    absent = evaluation.candidate.slices[0].iou["roof"]
    assert (absent.value, absent.low, absent.high) == (None, None, None)
    assert "(0." in closing_line(evaluation)
    assert evaluate(pictures, config, GOOD, WORSE).evaluation == evaluation


def test_the_reference_distribution_is_written_beside_the_metrics(
    evaluate: Callable, pictures: list[Picture], served_model: Path
) -> None:
    uri = evaluate(pictures, EvaluatorConfig(**FAST), served_model, WORSE).evaluation_uri
    reference = ReferenceDistribution.model_validate_json((uri / REFERENCE_FILE).read_text())
    assert (reference.split, reference.images, reference.images_in_split) == ("test", 12, 12)
    roof = [float((predict(picture, GOOD) == 2).mean()) for picture in pictures]
    assert sorted(reference.class_fractions["roof"]) == pytest.approx(sorted(roof), abs=1e-4)


@pytest.mark.parametrize("unserved", [{"reference_images": 0}, {}], ids=["not wanted", "not a model to serve"])
def test_without_a_reference_distribution_there_is_no_file(
    evaluate: Callable, pictures: list[Picture], served_model: Path, unserved: dict[str, int]
) -> None:
    config = EvaluatorConfig(**FAST, **unserved)
    uri = evaluate(pictures, config, served_model if unserved else GOOD).evaluation_uri
    assert not (uri / REFERENCE_FILE).exists()
