"""What a confusion costs, against the metric of the corrected matrix."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.evaluator import counts
from components.report.confusion_losses import confusion_losses


def corrected(confusion_CC: np.ndarray, truth: int, prediction: int) -> np.ndarray:
    """The matrix in which the pixels of a pair are predicted right."""
    right_CC = confusion_CC.copy()
    right_CC[truth, truth] += right_CC[truth, prediction]
    right_CC[truth, prediction] = 0
    return right_CC


def mean_iou(confusion_CC: np.ndarray) -> float:
    """Mean of TP / (TP + FP + FN) over the classes that occur."""
    found = []
    for c in range(len(confusion_CC)):
        union = confusion_CC[c].sum() + confusion_CC[:, c].sum() - confusion_CC[c, c]
        if union:
            found.append(confusion_CC[c, c] / union)
    return float(np.mean(found))


@given(st.integers(2, 5).flatmap(lambda c: st.lists(st.sampled_from([0, 0, 1, 7, 40]), min_size=c * c, max_size=c * c)))
def test_a_loss_is_the_difference_to_the_metric_of_the_corrected_matrix(cells: list[int]) -> None:
    side = round(len(cells) ** 0.5)
    confusion_CC = np.array(cells).reshape(side, side)
    found = confusion_losses(confusion_CC.tolist())
    assert {(each.truth, each.prediction) for each in found} == {(t, p) for t, p in np.argwhere(confusion_CC) if t != p}
    for each in found:
        better_CC = corrected(confusion_CC, each.truth, each.prediction)
        assert each.mean_iou == pytest.approx(mean_iou(better_CC) - mean_iou(confusion_CC), abs=1e-12)
        assert each.pixels == confusion_CC[each.truth, each.prediction]
        before_C, after_C = counts.iou(confusion_CC), counts.iou(better_CC)
        assert each.truth_iou == pytest.approx(after_C[each.truth] - before_C[each.truth])
        if each.prediction_iou is None:
            assert np.isnan(after_C[each.prediction])
        else:
            assert each.prediction_iou == pytest.approx(after_C[each.prediction] - before_C[each.prediction])
    assert [each.mean_iou for each in found] == sorted((each.mean_iou for each in found), reverse=True)


def test_few_pixels_of_a_rare_class_may_cost_more_than_many_of_a_frequent_one() -> None:
    [first, second] = confusion_losses([[9_000, 500, 0], [0, 400, 0], [0, 20, 20]])
    assert (first.truth, first.prediction, first.pixels) == (0, 1, 500)
    assert first.mean_iou == pytest.approx((500 / 9_500 + 400 / 420 - 400 / 920) / 3)
    assert (second.truth, second.pixels, second.share) == (2, 20, 0.5)
    assert second.truth_iou == pytest.approx(0.5)


def test_nothing_confused_costs_nothing() -> None:
    assert confusion_losses([[5, 0], [0, 3]]) == []


def test_a_class_that_was_only_predicted_leaves_the_mean_when_corrected() -> None:
    [only] = confusion_losses([[8, 2], [0, 0]])
    assert only.prediction_iou is None
    assert only.mean_iou == pytest.approx(1 - (0.8 + 0) / 2)
