"""The metrics of a cross-validation: each image judged by the model of its fold, against NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from common.errors import UserError
from components.cross_validator.executor import closing_line, put_together
from components.evaluator import bootstrap, counts
from components.evaluator.config import EvaluatorConfig
from components.evaluator.counts import confusion_counts
from components.evaluator.results import Estimate, Measured, SliceMetrics
from components.trainer.history import TrainingHistory

CLASSES = ("ground", "water", "roof")
LEVELS = [(75, 150), (110, 150), (75, 160)]


def assert_is(measured: SliceMetrics, confusion: np.ndarray, pictures: int) -> None:
    assert measured.pictures == pictures
    assert measured.confusion == tuple(map(tuple, confusion.tolist()))
    for name, expected in counts.named_metrics(confusion, CLASSES).items():
        assert measured.metric(name).value == pytest.approx(expected, abs=1e-6)


def test_each_fold_is_judged_by_its_own_model_and_all_of_them_are_pooled(
    cross_validate: Callable, pictures: list, confusion: Callable
) -> None:
    folds = {fold: pictures[fold - 1 : 9 : 3] for fold in (1, 2, 3)}
    result = cross_validate(
        {**folds, 0: pictures[9:]}, LEVELS, EvaluatorConfig(slices=("place",), batch_size=2, metrics=["boundary"])
    )
    each = [confusion(folds[fold], LEVELS[fold - 1]) for fold in (1, 2, 3)]
    for found, expected in zip(result.folds, each, strict=True):
        assert_is(found.metrics, expected, 3)
        assert found.history.best_epoch == 3
    assert_is(result.pooled, np.sum(each, axis=0), 9)
    of_folds = [fold.metrics.metric("boundary_iou/water").value for fold in result.folds]
    assert min(of_folds) < result.pooled.metric("boundary_iou/water").value < max(of_folds)

    ious = [counts.named_metrics(one, CLASSES)["mean_iou"] for one in each]
    assert result.spread("mean_iou") == pytest.approx((np.mean(ious), np.std(ious, ddof=1)), abs=1e-6)
    assert f"3 folds: mean IoU {np.mean(ious):.3f} ± {np.std(ious, ddof=1):.3f}" in closing_line(result)

    replicates = 0
    for fold, shown in folds.items():
        for picture in shown:
            predicted = (picture.image_HW[..., None].astype(int) >= np.array(LEVELS[fold - 1])).sum(axis=-1)
            one = confusion_counts(picture.mask_HW, predicted, len(CLASSES))
            replicates = replicates + bootstrap.resampled(bootstrap.frequencies(picture.name.encode()), one)
    error = bootstrap.standard_error(bootstrap.samples(replicates, CLASSES)["mean_iou"])
    pooled = result.pooled.mean_iou
    assert pooled.value - pooled.low == pytest.approx(1.972 * error, rel=1e-2)


def of_fold(value: str | None, iou: float) -> SliceMetrics:
    estimate = Estimate(value=iou, low=iou - 0.1, high=iou + 0.1)
    return SliceMetrics(
        column=value and "fold",
        value=value,
        pictures=3,
        mean_iou=estimate,
        mean_dice=estimate,
        pixel_accuracy=estimate,
        iou={},
        dice={},
        confusion=(),
    )


def test_folds_are_joined_with_their_trainings_and_told_in_a_line(history: TrainingHistory) -> None:
    measured = Measured(overall=of_fold(None, 0.55), slices=(of_fold("1", 0.5), of_fold("2", 0.6)))
    result = put_together(measured, [history, history.model_copy(update={"best_epoch": 7})], CLASSES)
    assert [(fold.fold, fold.history.best_epoch) for fold in result.folds] == [(1, 3), (2, 7)]
    assert result.spread("mean_iou") == pytest.approx((0.55, 0.1 / 2**0.5))
    assert closing_line(result) == "2 folds: mean IoU 0.550 ± 0.071, out of fold 0.550 (0.450–0.650) on 3 images"


def test_a_fold_without_an_image_is_refused(history: TrainingHistory) -> None:
    measured = Measured(overall=of_fold(None, 0.5), slices=(of_fold("1", 0.5), of_fold("3", 0.5)))
    with pytest.raises(UserError, match="fold 2 has no image to evaluate a model on"):
        put_together(measured, [history] * 3, CLASSES)
    with pytest.raises(UserError, match="fold 1 has no image"):
        put_together(None, [history] * 2, CLASSES)
