import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from common.records import VOID
from components.evaluator import counts

CONFUSIONS = st.integers(1, 6).flatmap(lambda c: hnp.arrays(np.int64, (c, c), elements=st.integers(0, 1000)))


def test_counts_are_truth_by_prediction_without_void() -> None:
    truth = [[0, 0, 1], [1, VOID, 2]]
    prediction = [[0, 1, 1], [1, 0, 0]]
    assert counts.confusion_counts(truth, prediction, 3).tolist() == [[1, 1, 0], [0, 2, 0], [1, 0, 0]]


def test_a_picture_that_is_all_void_counts_nothing() -> None:
    assert counts.confusion_counts(np.full((2, 2), VOID), np.zeros((2, 2)), 2).sum() == 0


@pytest.mark.parametrize(("truth", "prediction"), [([3], [0]), ([0], [3]), ([0], [VOID]), ([0, 1], [0])])
def test_what_is_no_class_is_refused(truth: list[int], prediction: list[int]) -> None:
    with pytest.raises(ValueError, match=r"indices beyond|truth is"):
        counts.confusion_counts(truth, prediction, 3)


def test_ratios_by_hand() -> None:
    confusion = np.array([[6, 2], [1, 3]])
    assert counts.iou(confusion).tolist() == pytest.approx([6 / 9, 3 / 6])
    assert counts.dice(confusion).tolist() == pytest.approx([12 / 15, 6 / 9])
    assert counts.pixel_accuracy(confusion) == pytest.approx(9 / 12)


def test_an_absent_class_has_no_ratio_and_does_not_weigh_on_the_mean() -> None:
    confusion = np.array([[4, 0, 0], [0, 2, 0], [0, 0, 0]])
    assert np.isnan(counts.iou(confusion)[2])
    assert np.isnan(counts.dice(confusion)[2])
    assert counts.named_metrics(confusion, "abc")["mean_iou"] == 1


def test_a_class_that_is_only_predicted_is_present_with_an_iou_of_zero() -> None:
    assert counts.named_metrics(np.array([[1, 1], [0, 0]]), "ab")["mean_iou"] == pytest.approx(0.25)


def test_nothing_counted_is_nan_everywhere() -> None:
    assert all(np.isnan(value) for value in counts.named_metrics(np.zeros((2, 2), np.int64), "ab").values())


@given(CONFUSIONS)
def test_each_ratio_is_what_sets_of_pixels_give(confusion: np.ndarray) -> None:
    iou, dice = counts.iou(confusion), counts.dice(confusion)
    for c in range(len(confusion)):
        both = confusion[c, c]
        in_truth, in_prediction = confusion[c, :].sum(), confusion[:, c].sum()
        if in_truth + in_prediction == 0:
            assert np.isnan(iou[c])
            assert np.isnan(dice[c])
        else:
            assert iou[c] == pytest.approx(both / (in_truth + in_prediction - both))
            assert dice[c] == pytest.approx(2 * iou[c] / (1 + iou[c]))


@given(CONFUSIONS)
def test_ratios_lie_between_zero_and_one(confusion: np.ndarray) -> None:
    values = list(counts.named_metrics(confusion, [str(c) for c in range(len(confusion))]).values())
    assert all(np.isnan(value) or 0 <= value <= 1 for value in values)
