"""What Kubeflow's dashboard shows of a run."""

from __future__ import annotations

import dataclasses

import numpy as np

from components.data_gate.result import Finding, GateReport
from components.report import dashboard


def test_figures_are_those_of_the_whole_split_and_of_the_classes_that_occur(make_report):
    evaluation = make_report(classes=("a", "b", "c", "d", "absent")).evaluation
    figures = dashboard.figures(evaluation)
    assert figures["mean_iou"] == evaluation.candidate.overall.mean_iou.value
    assert "dice/d" in figures and "iou/absent" not in figures
    assert all(isinstance(value, float) for value in figures.values())


def test_the_matrix_is_square_in_the_format_of_the_viewer(make_report):
    evaluation = make_report().evaluation
    matrix = dashboard.confusion_matrix(evaluation)
    assert [spec["displayName"] for spec in matrix["annotationSpecs"]] == ["ground", "roof"]
    assert [row["row"] for row in matrix["rows"]] == [list(row) for row in evaluation.candidate.overall.confusion]


def test_of_many_classes_the_rarest_are_added_up(make_report):
    evaluation = make_report(classes=tuple(f"class {index}" for index in range(150))).evaluation
    matrix = dashboard.confusion_matrix(evaluation)
    counts = np.array([row["row"] for row in matrix["rows"]])
    assert counts.shape == (40, 40) and len(matrix["annotationSpecs"]) == 40
    assert matrix["annotationSpecs"][-1] == {"displayName": "(other classes)"}
    assert counts.sum() == np.sum(evaluation.candidate.overall.confusion)


def test_the_summary_tells_of_the_gate_the_evaluation_and_the_push(make_report):
    text = dashboard.summary(make_report())
    assert text.startswith("# sample: blessed")
    for part in ("## Data gate", "102 pairs found", "2 missing\\_mask", "## Evaluation on test", "| roof |", "+0."):
        assert part in text
    assert text.rstrip().endswith("version 3 pushed and served")


def test_names_have_no_meaning_in_it(make_report):
    data = make_report(classes=("<img src=x>", "a|b *c*"))
    text = dashboard.summary(dataclasses.replace(data, name="[x](javascript:1)"))
    assert "<img" not in text and "\\[x\\](javascript:1)" in text and "a\\|b \\*c\\*" in text


def test_the_summary_says_how_the_model_did_behind_a_server(make_report):
    data = make_report()
    assert "## Serving check\n\nserved by the embedded server: 8 images, 12 ms each" in dashboard.summary(data)
    assert "Serving" not in dashboard.summary(dataclasses.replace(data, serving=None))


def test_a_run_that_pushed_nothing_says_so(make_report):
    assert "Nothing was pushed" in dashboard.summary(dataclasses.replace(make_report(), push=None))


def test_the_summary_of_many_classes_stays_short(make_report):
    text = dashboard.summary(make_report(classes=tuple(f"class {index}" for index in range(150))))
    assert len(text.splitlines()) < 60 and "the other 126 classes are in the report" in text


def test_the_summary_says_what_was_not_measured_and_what_a_constant_reaches(make_report):
    data = make_report()
    verdict = data.evaluation.verdict.model_copy(update={"warnings": ("No test pixel of: rare.",)})
    beside = {
        "verdict": verdict,
        "classes_averaged": 1,
        "classes_without_pixels": ("roof",),
        "constant_prediction": {"mean_iou": 0.31, "mean_dice": 0.32, "pixel_accuracy": 0.9, "iou/ground": 0.9},
    }
    warned = Finding(check="classes", passed=True, warning=True, detail="rare has no pixel in eval.")
    data = dataclasses.replace(
        data,
        evaluation=data.evaluation.model_copy(update=beside),
        gate=GateReport(passed=True, findings=(warned,)),
        ingestion=data.ingestion.model_copy(update={"void_pixels": {"train": 3, "eval": 0, "test": 0}}),
    )
    text = dashboard.summary(data)
    assert "- ⚠ No test pixel of: rare." in text and "- ⚠ rare has no pixel in eval." in text
    assert "| mean over 1 of 2 classes |" in text and "| one class everywhere | 0.310 | 0.320 | – |" in text
    assert "pixels that do not count (void): train <" in text.replace("&lt;", "<")
    assert dashboard.figures(data.evaluation)["one_class_everywhere/mean_iou"] == 0.31
    assert "one_class_everywhere/iou/ground" not in dashboard.figures(data.evaluation)
