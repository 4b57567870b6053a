"""Dataframes: each figure stands where its column says, and what was not measured is missing rather than 0."""

from __future__ import annotations

import math

import pytest

from components.evaluator.results import Check, Estimate, Evaluation, Measured, SliceMetrics, Verdict
from components.example_gen.quarantine import IngestionSummary, Quarantined, Reason
from components.trainer.history import Epoch
from pipeline.notebook import frames
from tests.support.histories import training_history

CLASSES = ("sky", "tree")


def estimate(value: float | None) -> Estimate:
    return Estimate(value=value, low=value, high=value)


def part(iou: float, column: str | None = None, value: str | None = None) -> SliceMetrics:
    return SliceMetrics(
        column=column,
        value=value,
        pictures=3,
        mean_iou=estimate(iou),
        mean_dice=estimate(0.8),
        pixel_accuracy=estimate(0.9),
        iou={"sky": estimate(iou), "tree": estimate(None)},
        dice={"sky": estimate(0.8), "tree": estimate(None)},
        confusion=((5, 1), (2, 4)),
        further={"ece": estimate(0.1), "boundary_iou/sky": estimate(0.4)},
    )


@pytest.fixture
def evaluation() -> Evaluation:
    return Evaluation(
        split="test",
        classes=CLASSES,
        candidate=Measured(overall=part(0.7), slices=(part(0.6, "light", "dim"),)),
        baseline=Measured(overall=part(0.5)),
        verdict=Verdict(blessed=True, baseline_version=1, note="", checks=()),
        classes_without_pixels=(),
        constant_prediction={},
    )


def test_metrics_are_named_by_model_slice_and_class(evaluation: Evaluation) -> None:
    frame = frames.metrics_frame(evaluation).set_index(["model", "column", "value", "metric", "class"])["estimate"]
    figures = {tuple(None if key != key else key for key in index): value for index, value in frame.items()}
    assert figures["candidate", None, None, "mean_iou", None] == 0.7
    assert figures["candidate", "light", "dim", "iou", "sky"] == 0.6
    assert figures["baseline", None, None, "mean_iou", None] == 0.5
    assert figures["candidate", None, None, "boundary_iou", "sky"] == 0.4
    assert figures["candidate", None, None, "ece", None] == 0.1
    assert math.isnan(figures["candidate", None, None, "iou", "tree"])


def test_confusion_has_the_truth_in_its_rows(evaluation: Evaluation) -> None:
    frame = frames.confusion_frame(evaluation.candidate.overall, CLASSES)
    assert frame.loc["sky", "tree"] == 1
    assert frame.loc["tree", "sky"] == 2
    assert (frame.index.name, frame.columns.name) == ("truth", "prediction")


def test_epochs_of_all_folds_are_in_one_frame_with_their_best_ones() -> None:
    def epoch(number: int, score: float) -> Epoch:
        return Epoch(
            epoch=number, seconds=1, milliseconds_per_step=1, learning_rate=0.1, metrics={"val_mean_iou": score}
        )

    folds = [
        training_history([epoch(1, 0.1), epoch(2, 0.2)], best_epoch=2),
        training_history([epoch(1, 0.4), epoch(2, 0.3)], best_epoch=1),
    ]
    frame = frames.epochs_frame(folds)
    assert frame.loc[(2, 1), "val_mean_iou"] == 0.4
    assert list(frame.index[frame["best"]]) == [(1, 2), (2, 1)]


def test_empty_tables_keep_their_columns() -> None:
    assert list(frames.checks_frame([]).columns) == list(Check.model_fields)
    assert list(frames.quarantine_frame([]).columns) == list(Quarantined.model_fields)


def test_a_pair_that_was_set_aside_has_its_reason_as_text() -> None:
    (reason, *_) = Reason
    frame = frames.quarantine_frame([Quarantined(id="a", reason=reason, detail="too small")])
    assert frame.loc[0, ["id", "reason", "detail"]].tolist() == ["a", reason.value, "too small"]


def test_class_pixels_are_by_class_and_split() -> None:
    summary = IngestionSummary(
        data_fingerprint="f",
        classes=CLASSES,
        found=2,
        used={"train": 2},
        quarantined={},
        class_pixels={"train": (8, 2), "test": (1, 0)},
        class_pictures={},
        void_pixels={},
    )
    frame = frames.class_pixels_frame(summary)
    assert frame.loc["sky", "train"] == 8
    assert frame.loc["tree", "test"] == 0
