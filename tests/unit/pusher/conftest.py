"""A model, its evaluation, and a registry to push it to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from components.evaluator.results import Check, Estimate, Evaluation, Measured, SliceMetrics, Verdict
from components.example_gen.quarantine import IngestionSummary
from registry.store import Registry

MakeModel = Callable[[str], str]
Evaluate = Callable[..., Evaluation]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(str(tmp_path / "registry"))


@pytest.fixture
def make_model(tmp_path: Path) -> MakeModel:
    """Makes a `Model` artifact's folder; models of equal text have equal content."""

    def make(text: str) -> str:
        folder = tmp_path / "models" / text
        (folder / "Format-Serving" / "variables").mkdir(parents=True, exist_ok=True)
        (folder / "Format-Serving" / "saved_model.pb").write_text(text)
        (folder / "Format-Serving" / "variables" / "variables.index").write_text(text)
        return str(folder)

    return make


@pytest.fixture
def evaluate() -> Evaluate:
    """Makes an evaluation of a model with two classes, of which one does not occur."""

    def make(blessed: bool = True, baseline_version: int | None = None) -> Evaluation:
        value = 0.8 if blessed else 0.4
        overall = SliceMetrics(
            pictures=3,
            mean_iou=Estimate(value=value),
            mean_dice=Estimate(value=0.85),
            pixel_accuracy=Estimate(value=0.9),
            iou={"ground": Estimate(value=value), "ghost": Estimate(value=None)},
            dice={"ground": Estimate(value=0.85), "ghost": Estimate(value=None)},
            confusion=((8, 2), (0, 0)),
        )
        check = Check(
            metric="mean_iou",
            slice="overall",
            kind="at_least",
            value=value,
            bound=0.75,
            passed=blessed,
            detail=f"mean_iou {value} on overall against the threshold 0.75",
        )
        verdict = Verdict(blessed=blessed, baseline_version=baseline_version, note="", checks=(check,))
        return Evaluation(
            split="test", classes=("ground", "ghost"), candidate=Measured(overall=overall), verdict=verdict
        )

    return make


@pytest.fixture
def data() -> IngestionSummary:
    """The summary of 12 pairs of which 11 are used, in two places, one of them never in the split that judges."""
    return IngestionSummary(
        data_fingerprint="d",
        classes=("ground", "ghost"),
        found=12,
        used={"train": 7, "eval": 1, "test": 3},
        quarantined={"unreadable": 1},
        class_pixels={"train": (90, 10), "eval": (10, 0), "test": (10, 0)},
        class_pictures={"train": (7, 2), "eval": (1, 0), "test": (3, 0)},
        void_pixels={},
        slices={"place": {"wood": 8, "moor": 3}},
    )
