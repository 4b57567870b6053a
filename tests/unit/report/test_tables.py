"""The rows behind report and summary."""

from __future__ import annotations

import pytest

from components.evaluator.results import Estimate
from components.report import formats, tables


def test_a_class_is_compared_with_the_baseline(make_report):
    evaluation = make_report().evaluation
    row = tables.class_rows(evaluation)[1]
    now, before = evaluation.candidate.overall.iou["roof"].value, evaluation.baseline.overall.iou["roof"].value
    assert row.name == "roof" and row.pixels == 220
    assert row.iou_change == pytest.approx(now - before)


def test_without_a_baseline_nothing_changes(make_report):
    evaluation = make_report().evaluation.model_copy(update={"baseline": None})
    assert [row.iou_change for row in tables.class_rows(evaluation)] == [None, None]
    assert [row.iou_change for row in tables.slice_rows(evaluation)] == [None]


def test_a_slice_that_the_baseline_does_not_know_is_not_compared(make_report):
    evaluation = make_report().evaluation
    baseline = evaluation.baseline.model_copy(update={"slices": ()})
    assert tables.slice_rows(evaluation.model_copy(update={"baseline": baseline}))[0].iou_change is None


def test_classes_are_ranked_with_absent_ones_last(make_report):
    rows = tables.ranked(tables.class_rows(make_report(("a", "b", "c", "d", "gone")).evaluation))
    assert [row.name for row in rows][-1] == "gone"


def test_what_changed_most_goes_from_loss_to_gain(make_report):
    rows = tables.class_rows(make_report(("a", "b", "c")).evaluation)
    changed = [
        tables.dataclasses.replace(row, iou_change=change) for row, change in zip(rows, (0.2, -0.3, 0.01), strict=True)
    ]
    assert [row.iou_change for row in tables.most_changed(changed, 2)] == [-0.3, 0.2]


def test_the_worst_confusions_cost_the_most_pixels():
    first, second = tables.worst_confusions([[90, 10, 0], [30, 60, 10], [0, 0, 0]], limit=2)
    assert (first.truth, first.prediction, first.pixels, first.share) == (1, 0, 30, 0.3)
    assert second.pixels == 10


def test_a_row_of_the_matrix_is_a_share_of_the_truth():
    assert tables.row_shares([[3, 1], [0, 0]]) == [[0.75, 0.25], [None, None]]


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.77, "77 %"),
        (1.0, "100 %"),
        (0.0142, "1.4 %"),
        (0.0003, "0.03 %"),
        (0.0, "0"),
        (1e-8, "< 0.001 %"),
        (None, "–"),
    ],
)
def test_shares_keep_the_digits_that_count(share, text):
    assert formats.percent(share).replace("\u202f", " ") == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.0123, "+0.012"), (-0.0031, "−0.003"), (0.0001, "±0.000"), (None, "–"), (float("nan"), "–")]
)
def test_changes_have_a_sign(value, text):
    assert formats.change(value) == text


@pytest.mark.parametrize(("seconds", "text"), [(4.26, "4.3 s"), (125, "2 min 05 s"), (4320, "1 h 12 min")])
def test_durations_are_in_the_units_of_a_clock(seconds, text):
    assert formats.duration(seconds) == text


@pytest.mark.parametrize(("value", "text"), [(812, "812"), (23_600, "23.6 k"), (1_942_273, "1.94 M")])
def test_large_numbers_are_short(value, text):
    assert formats.large(value).replace("\u202f", " ") == text


def test_an_estimate_without_bounds_has_no_interval():
    assert formats.interval(Estimate(value=0.5)) == ""
    assert formats.interval(Estimate(value=0.5, low=0.41, high=0.6)) == "0.41–0.60"
