"""The page: whole, harmless and self-contained for every kind of run."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import html.parser
import re

import numpy as np
import pytest

from common.run_context import StepUsage
from components.data_gate.result import Finding, GateReport
from components.evaluator.results import Check, ConfidenceBin, Estimate, Verdict
from components.example_gen.quarantine import Quarantined, Reason
from components.report import page, shown_predictions
from components.report.data import Provenance, ReportData, WorstOfClass
from components.report.viewer import page_policy

VOID_TAGS = {"meta", "img", "br", "link", "input", "hr"}
UNCOUNTED = {"href", "aria-label", "id"}
"""Attributes that may have "nan" in a name or in an image's bytes."""
UNSHOWN = (["style"], ["script"])


class Outline(html.parser.HTMLParser):
    """The elements of a page; every one must be closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID_TAGS:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in UNSHOWN:
            self.text.append(data)


def names(number: int) -> tuple[str, ...]:
    return tuple(f"class {index}" for index in range(number))


@pytest.mark.parametrize("number", [2, 4, 59, 255])
def test_renders_well_formed_and_finite_for_any_number_of_classes(make_report, number):
    text = page.render(make_report(names(number)))
    outline = Outline(text)
    assert outline.open == []
    assert not re.search(r"\b(nan|inf|None)\b", " ".join(outline.text), re.IGNORECASE)
    assert all("nan" not in (value or "") for name, value in outline.attributes if name not in UNCOUNTED)


def test_loads_nothing_and_runs_its_own_script_alone(make_report):
    text = page.render(make_report())
    outline = Outline(text)
    assert not {"link", "iframe", "object", "embed"} & set(outline.tags)
    assert outline.tags.count("script") == 1
    script = text.split("<script>")[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policies = [value for name, value in outline.attributes if name == "content" and "default-src" in (value or "")]
    assert policies == [page_policy()] and f"script-src 'sha256-{digest}'" in page_policy()
    for name, value in outline.attributes:
        assert not name.startswith("on")
        if name in ("src", "href"):
            assert (value or "").startswith(("data:image/", "#"))
    assert "http://" not in page.render(make_report()) and "https://" not in page.render(make_report())
    assert "@import" not in page.render(make_report())


def test_every_text_of_the_data_is_escaped(make_report):
    hostile = "<script>alert(1)</script>"
    data = make_report((hostile, '"><img src=x onerror=alert(1)>', "c", "d", "absent'&"))
    ingestion = data.ingestion.model_copy(update={"slices": {hostile: {hostile: 3}}})
    data = dataclasses.replace(
        data,
        name=hostile,
        ingestion=ingestion,
        quarantined=(Quarantined(id=hostile, image=hostile, reason=Reason.UNREADABLE, detail=hostile),),
        gate=GateReport(passed=False, findings=(Finding(check="size", feature=hostile, passed=False, detail=hostile),)),
        worst=(dataclasses.replace(data.worst[0], id=hostile, slices={hostile: hostile}),),
        config=hostile,
        steps=(StepUsage(component=hostile, name=hostile, seconds=1.0, megabytes=2.0),),
        provenance=Provenance(hostile, hostile, 1),
        software={hostile: hostile},
    )
    text = page.render(data)
    outline = Outline(text)
    assert text.count("<script") == 1 and "<img src=x" not in text
    assert not any(name == "onerror" for name, _ in outline.attributes)
    assert hostile in "".join(outline.text)


def test_many_classes_are_listed_by_their_worst_confusions_instead_of_a_matrix(make_report):
    assert 'class="heat"' in page.render(make_report(names(12)))
    many = page.render(make_report(names(13)))
    assert 'class="heat"' not in many and "with the most pixels" in many


def test_a_class_without_pixels_is_named_as_such(make_report):
    text = page.render(make_report(names(6)))
    assert "1 class without a pixel here" in text


def test_a_first_model_has_no_baseline_to_stand_against(make_report):
    data = make_report()
    verdict = data.evaluation.verdict.model_copy(update={"baseline_version": None})
    evaluation = data.evaluation.model_copy(update={"baseline": None, "verdict": verdict})
    text = page.render(dataclasses.replace(data, evaluation=evaluation))
    assert "this is the first model" in text and "no baseline" in text


def test_a_model_that_is_not_blessed_says_why_at_the_top(make_report):
    data = make_report(push=None)
    missed = Check(
        metric="mean_iou", slice="overall", kind="at_least", value=None, bound=0.9, passed=False, detail="far too low"
    )
    verdict = Verdict(blessed=False, baseline_version=2, note="One bound was missed.", checks=(missed,))
    evaluation = data.evaluation.model_copy(update={"verdict": verdict})
    head = page.render(dataclasses.replace(data, evaluation=evaluation)).split("<nav")[0]
    assert "Not blessed" in head and "far too low" in head and "nothing was pushed" in head


def test_the_bare_minimum_of_a_run_still_renders(make_report):
    data = make_report(epochs=1, quarantined=(), best=(), worst=(), scored=0, serving=None, push=None)
    nothing = Estimate(value=None)
    overall = data.evaluation.candidate.overall.model_copy(
        update={"mean_iou": nothing, "mean_dice": nothing, "pixel_accuracy": nothing, "iou": {}, "dice": {}}
    )
    candidate = data.evaluation.candidate.model_copy(update={"overall": overall, "slices": ()})
    ingestion = data.ingestion.model_copy(
        update={
            "used": {},
            "quarantined": {},
            "class_pixels": {},
            "class_pictures": {},
            "void_pixels": {},
            "slices": {},
        }
    )
    data = dataclasses.replace(
        data,
        ingestion=ingestion,
        gate=GateReport(passed=True, findings=()),
        trainings=(data.trainings[0].model_copy(update={"epochs": ()}),),
        evaluation=data.evaluation.model_copy(update={"candidate": candidate, "baseline": None}),
    )
    assert Outline(page.render(data)).open == []


def test_better_and_worse_are_told_by_more_than_colour(make_report):
    text = page.render(make_report())
    assert "▲" in text and "+0." in text


def test_without_pictures_a_page_of_59_classes_stays_under_300_kilobytes(make_report):
    assert len(page.render(make_report(names(59))).encode()) < 300_000


def judged(make_report, **beside):
    """A report of three classes, of which `rare` was not measured."""
    data = make_report(names(3))
    beside = {"classes_averaged": 2, "classes_without_pixels": ("rare",)} | beside
    return dataclasses.replace(data, evaluation=data.evaluation.model_copy(update=beside))


def test_what_was_not_measured_stands_beside_the_verdict_and_the_means(make_report):
    data = judged(make_report)
    verdict = data.evaluation.verdict.model_copy(update={"warnings": ("No test pixel of: rare <b>.",)})
    data = dataclasses.replace(data, evaluation=data.evaluation.model_copy(update={"verdict": verdict}))
    head = page.render(data).split("<nav")[0]
    assert "⚠" in head and "No test pixel of: rare &lt;b&gt;." in head
    assert "Mean IoU over 2 of 3 classes" in head and "Pixel accuracy<" in head
    assert "3, 1 without a pixel in test" in head


def test_one_class_everywhere_stands_beside_the_figures(make_report):
    constant = {"mean_iou": 0.314, "mean_dice": 0.323, "pixel_accuracy": 0.941}
    text = page.render(judged(make_report, constant_prediction=constant))
    head, classes = text.split("<nav")[0], text.split('id="classes"')[1].split("</section>")[0]
    assert "one class everywhere 0.314" in head and "one class everywhere 0.941" in head
    assert "One class everywhere" in classes and "0.323" in classes
    assert "One class everywhere" not in page.render(make_report())


def test_warnings_of_the_gate_are_told_apart_from_what_passed(make_report):
    warned = Finding(check="classes", split="test", passed=True, warning=True, detail="rare has no pixel in test")
    fine = tuple(Finding(check="schema", passed=True, detail=f"fine {index}") for index in range(20))
    text = page.render(make_report(gate=GateReport(passed=True, findings=(*fine, warned))))
    assert "passed with 1 warning." in text.split("<nav")[0]
    gate = text.split('id="gate"')[1].split("</section>")[0]
    assert gate.index("rare has no pixel in test") < gate.index("fine 0")
    assert gate.count("</span> warning</span>") == 1


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("better_than_constant", "better than one class everywhere"),
        ("measured", "classes with pixels"),
        ("at_most", "at most"),
    ],
)
def test_each_kind_of_bound_is_named(make_report, kind, asked):
    data = make_report()
    check = Check(metric="classes", slice="overall", kind=kind, value=1, bound=2, passed=False, detail="one class")
    verdict = Verdict(blessed=False, baseline_version=2, note="", checks=(check,))
    evaluation = data.evaluation.model_copy(update={"verdict": verdict})
    assert asked in page.render(dataclasses.replace(data, evaluation=evaluation)).split('id="checks"')[1]


def test_boundaries_and_objects_stand_under_the_classes(make_report):
    data = make_report()
    measured = data.evaluation.candidate
    further = {"hd95/class 1": Estimate(value=12.5, low=9.0, high=16.0), "boundary_iou/class 1": Estimate(value=None)}
    overall = measured.overall.model_copy(update={"further": further})
    candidate = measured.model_copy(update={"overall": overall})
    evaluation = data.evaluation.model_copy(update={"candidate": candidate})
    section = (
        page.render(dataclasses.replace(data, evaluation=evaluation)).split('id="classes"')[1].split("</section>")[0]
    )
    assert "Boundaries and objects" in section and "HD95" in section and "12.500" in section and "9.00–16.00" in section
    assert "Boundaries and objects" not in page.render(data)


def test_epochs_that_are_not_in_the_curves_are_named(make_report):
    data = make_report()
    epochs = list(data.trainings[0].epochs)
    epochs[2] = epochs[2].model_copy(update={"metrics": {**epochs[2].metrics, "loss": None}})
    run = data.trainings[0].model_copy(update={"epochs": tuple(epochs)})
    text = page.render(dataclasses.replace(data, trainings=(run,)))
    assert "a metric of epoch 3." in text


def test_calibration_has_its_diagram_and_its_figures(make_report):
    data = make_report()
    measured = data.evaluation.candidate
    update = {
        "further": {"ece": Estimate(value=0.034, low=0.02, high=0.05), "ece/class 1": Estimate(value=None)},
        "reliability": (
            ConfidenceBin(low=0.0, high=0.5, pixels=0, accuracy=None, confidence=None),
            ConfidenceBin(low=0.5, high=1.0, pixels=1234, accuracy=0.8, confidence=0.9),
        ),
    }
    candidate = measured.model_copy(update={"overall": measured.overall.model_copy(update=update)})
    evaluation = data.evaluation.model_copy(update={"candidate": candidate})
    text = page.render(dataclasses.replace(data, evaluation=evaluation))
    assert Outline(text).open == []
    section = text.split('id="classes"')[1].split("</section>")[0]
    assert "Calibration" in section and "all pixels" in section and "0.034" in section
    assert section.count('class="curves reliability"') == 2 and "accuracy 0.800" in section
    assert "Boundaries and objects" not in section and "Calibration" not in page.render(data)


def test_each_image_is_stored_once_and_shown_by_reference(make_report):
    data = make_report()
    example = data.worst[0]
    text = page.render(dataclasses.replace(data, worst_by_class=(WorstOfClass(1, ((example, 0.25),)),)))
    assert text.count(example.image) == text.count(example.truth) == text.count(example.errors) == 1
    references = re.findall(r'<use href="#([a-z]+-\d+)"', text)
    assert {"image-0", "truth-0", "prediction-0", "errors-0"} == set(references)
    stored = re.findall(r'<image id="([a-z]+-\d+)"', text)
    assert sorted(stored) == sorted(set(references))
    assert "0.25 <small>IoU</small>" in text


def test_as_many_images_as_a_report_has_stay_under_five_megabytes(make_report, png):
    most = 60
    noise = png(np.random.default_rng(0).integers(0, 255, (640, 640, 3)))
    mask_HW = np.random.default_rng(1).integers(0, 2, (640, 640))
    mask = png(mask_HW)
    scored = shown_predictions.Scored(0, 0.5, False, np.ones((2, 2), np.int64))
    one = shown_predictions.draw("a", {}, scored, noise, mask, mask, 512, 4_000_000 // most)
    assert one.shown_width > 100
    worst = tuple(dataclasses.replace(one, number=number) for number in range(most))
    size = len(page.render(make_report(names(59), worst=worst)).encode())
    assert 1_500_000 < size <= 5_000_000


def test_what_a_confusion_costs_is_told(make_report):
    section = page.render(make_report(names(3))).split('id="confusion"')[1].split("</section>")[0]
    assert "What the confusions cost" in section and "Mean IoU lost" in section
    many = page.render(make_report(names(13))).split('id="confusion"')[1].split("</section>")[0]
    assert "the 10 costliest of 132 pairs" in many


def test_classes_and_slices_without_a_test_image_are_named_at_the_top(make_report):
    data = make_report()
    head = page.render(data).split("<nav")[0]
    assert "No test image has light: day." in head
    evaluation = data.evaluation.model_copy(update={"classes_without_pixels": ("roof",)})
    head = page.render(dataclasses.replace(data, evaluation=evaluation)).split("<nav")[0]
    assert "No test pixel of: roof." in head
    warned = evaluation.verdict.model_copy(update={"warnings": ("No test pixel of: roof. The means go over 1.",)})
    evaluation = evaluation.model_copy(update={"verdict": warned})
    head = page.render(dataclasses.replace(data, evaluation=evaluation)).split("<nav")[0]
    assert head.count("No test pixel of: roof") == 1


def test_each_slice_has_bars_of_its_classes(make_report):
    section = page.render(make_report()).split('id="slices"')[1].split("</section>")[0]
    assert "IoU of each class by light" in section and section.count('class="strip bar"') == 4


def in_run(data: ReportData) -> ReportData:
    steps = (
        StepUsage(component="Trainer", name="Train", seconds=428.0, megabytes=1834.2),
        StepUsage(component="Pusher", name="Push", seconds=0.2, cached=True),
    )
    return dataclasses.replace(data, steps=steps, provenance=Provenance("segpipe run a.yaml", "c0ffee", 7))


def test_steps_have_their_time_and_memory(make_report):
    section = page.render(in_run(make_report())).split('id="steps"')[1].split("</section>")[0]
    assert "7 min 08 s" in section and "1.8\u202fGB" in section and "cached" in section
    assert "were run by themselves" in page.render(make_report())


def test_the_command_that_makes_the_run_again_can_be_copied(make_report):
    section = page.render(in_run(make_report())).split('id="provenance"')[1].split("</section>")[0]
    assert '<code id="command">segpipe run a.yaml</code>' in section and 'data-copy="command"' in section
    assert "c0ffee" in section and "Seed" in section and "0123456789abcdef" in section
