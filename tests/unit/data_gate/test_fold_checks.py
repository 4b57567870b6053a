"""Folds of cross-validation that are empty, or hold a class alone."""

from __future__ import annotations

import pytest

from components.data_gate.checks import check_ingestion
from components.data_gate.config import ValidationConfig
from components.data_gate.fold_checks import check_folds
from components.example_gen.quarantine import FoldSummary, IngestionSummary

USUAL = (900, 90, 10)


def in_folds(summary: IngestionSummary, *folds: tuple[int, tuple[int, ...]]) -> IngestionSummary:
    found = tuple(FoldSummary(pairs=pairs, class_pixels=pixels) for pairs, pixels in folds)
    return summary.model_copy(update={"folds": found})


def test_without_folds_there_is_nothing_to_check(summary: IngestionSummary) -> None:
    assert check_folds(summary, ValidationConfig()) == []


def test_folds_with_all_classes_pass(summary: IngestionSummary) -> None:
    (finding,) = check_folds(in_folds(summary, (52, USUAL), (57, USUAL), (51, USUAL)), ValidationConfig())
    assert finding.passed and "the 3 folds have 51 to 57 pairs" in finding.detail


def test_an_empty_fold_stops_the_run(summary: IngestionSummary) -> None:
    findings = check_ingestion(in_folds(summary, (160, USUAL), (0, (0, 0, 0)), (1, USUAL)), ValidationConfig())
    (failed,) = [finding for finding in findings if not finding.passed]
    assert "fold 2 of 3 has 0 pairs, but needs at least 1: lower data.split.folds" in failed.detail


@pytest.mark.parametrize(("allowed", "passed"), [((), False), (("debris",), True), ("all", True)])
def test_a_class_that_one_model_is_trained_without_stops_the_run_unless_it_may_be_absent(
    summary: IngestionSummary, allowed: object, passed: bool
) -> None:
    folds = in_folds(summary, (50, (900, 90, 0)), (50, USUAL), (50, (900, 90, 0)))
    _, finding = check_folds(folds, ValidationConfig(may_be_absent=allowed))
    assert finding.passed is passed
    assert "the class 'debris' has pixels in fold 2 alone" in finding.detail
