"""A cross-validation in the report and in the summary."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from components.cross_validator.result import CrossValidation
from components.report import dashboard, page
from components.report.data import ReportData
from components.report.tables import fold_table


@pytest.fixture
def data(make_report: Callable[..., ReportData], cross_validation: CrossValidation) -> ReportData:
    trainings = tuple(fold.history for fold in cross_validation.folds)
    return make_report(trainings=trainings, cross_validation=cross_validation)


def test_the_table_has_the_folds_all_of_them_and_the_ensemble(data: ReportData) -> None:
    assert data.cross_validation
    table = fold_table(data.cross_validation, data.evaluation)
    assert table.metrics == ("mean_iou", "mean_dice", "pixel_accuracy", "iou/ground", "iou/roof")
    assert [(row.name, row.pictures, row.best_epoch) for row in table.folds] == [("fold 1", 40, 4), ("fold 2", 41, 4)]
    assert table.pooled.pictures == 81 and table.ensemble.name == "ensemble on test"
    low, high = (row.estimates[0].value for row in table.folds)
    assert table.spreads[0] == pytest.approx(((low + high) / 2, abs(high - low) / 2**0.5))


def test_the_page_shows_the_folds_their_curves_and_the_caution(data: ReportData) -> None:
    text = page.render(data)
    section = text.partition('<section id="folds">')[2].partition("</section>")[0]
    for part in ("fold 1", "fold 2", "mean ± deviation of the folds", "all folds, pooled", "ensemble on test"):
        assert f"<th>{part}</th>" in section
    assert "slightly optimistic" in section
    assert '<a href="#folds">Folds</a>' in text
    assert text.count('<text class="label eval"') == 4
    assert "90 images in 2 folds" in text and "3.88" in text
    assert "its best epoch; the model is their average" in text


def test_a_run_with_one_model_has_no_such_section(make_report: Callable[..., ReportData]) -> None:
    text = page.render(make_report())
    assert 'id="folds"' not in text and "#folds" not in text
    assert "Cross-validation" not in dashboard.summary(make_report())


def test_the_summary_has_the_table(data: ReportData) -> None:
    text = dashboard.summary(data)
    assert "## Cross-validation" in text
    assert "| fold 1 | 40 |" in text and "| all folds, pooled | 81 |" in text and "| ensemble on test |" in text
    assert "slightly optimistic" in text
    for line in text.partition("| images of")[2].splitlines()[1:6]:
        assert line.count("|") == 8


def test_a_single_fold_has_no_deviation(cross_validation: CrossValidation) -> None:
    one = cross_validation.model_copy(update={"folds": cross_validation.folds[:1]})
    mean, deviation = one.spread("mean_iou")
    assert mean is not None and deviation is None
