"""Slice values that no image of the test split has."""

from __future__ import annotations

from components.data_gate.slice_checks import check_slices
from components.example_gen.quarantine import IngestionSummary

SLICES = {"kind": {"dark": 90, "light": 5}, "date": {str(day): 1 for day in range(50)}}


def test_a_value_without_an_image_in_test_is_a_warning_that_names_the_line_to_write(summary: IngestionSummary) -> None:
    sliced = summary.model_copy(update={"slices": SLICES})
    (finding,) = check_slices(sliced, {"kind": {"dark"}})
    assert (finding.passed, finding.warning, finding.split) == (True, True, "test")
    assert finding.detail == (
        "no image of test has kind = 'light' (5), so no metric is computed there: give pairs of that kind to test, or "
        "set data.split.stratify: kind"
    )


def test_columns_whose_values_are_all_in_test_and_columns_of_many_values_give_no_warning(
    summary: IngestionSummary,
) -> None:
    sliced = summary.model_copy(update={"slices": SLICES})
    assert not check_slices(sliced, {"kind": {"dark", "light"}, "date": set()})


def test_a_test_split_without_images_is_reported_elsewhere(summary: IngestionSummary) -> None:
    empty = summary.model_copy(update={"slices": SLICES, "used": summary.used | {"test": 0}})
    assert not check_slices(empty, {})
